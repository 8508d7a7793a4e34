//! What is given, and what it gets. Each row is kept by the tests named beside it, here or elsewhere.
//!
//! | given | tests |
//! | --- | --- |
//! | a truncated, flipped or zero-filled segment | `a_flipped_bit_in_a_segment_is_named_with_ref_and_path_and_the_rest_works`, `a_truncated_segment_is_named_with_all_that_was_in_the_lost_part`, `a_zero_filled_segment_is_named_with_everything_that_was_in_it` |
//! | the same of a large file | `a_large_file_that_is_flipped_zeroed_truncated_or_gone_is_named_with_its_path`, `a_damaged_large_file_is_taken_from_a_model_folder` |
//! | of the index | `a_damaged_index_is_named_and_made_again`, `flipped_bits_anywhere_in_the_index_never_make_a_program_crash` |
//! | of `format` | `a_format_file_that_is_damaged_stops_every_command_and_is_named`, `a_damaged_format_file_is_written_again_if_the_store_shows_what_it_was` |
//! | an archive with absolute or `..` names, links out, devices, duplicates, names equal but for case | `nasty_archives_are_refused_with_name_and_rule` |
//! | with a million entries, or a bomb | `a_million_entries_and_a_thousandfold_bomb_are_refused`, `a_thousandfold_bomb_is_refused`, `a_thousandfold_bomb_of_a_pack_is_refused_unless_it_is_trusted` |
//! | a workflow that is not JSON, or JSON but no workflow | `a_file_that_is_no_workflow_is_kept_and_named_and_the_rest_goes_on`, `what_is_no_workflow_is_refused_with_place_or_reason` |
//! | a file that changes while it is hashed | `a_file_that_changes_while_it_is_read_has_no_hash`, `a_file_cut_short_while_it_is_read_has_no_hash` |
//! | a folder that may not be read | `a_folder_that_may_not_be_read_is_named_and_the_rest_goes_on`, `what_cannot_be_indexed_is_named_and_the_rest_goes_on` |
//! | a loop of symlinks | `links_that_lead_in_a_circle_are_links_and_a_linked_node_is_its_files`, `loops_of_links_fifos_and_folders_that_are_not_there` |
//! | a full disk, a read-only store | `a_full_disk_is_a_clear_error_and_changes_nothing`, `a_read_only_store_can_be_read` |
//! | a lock held by another | `a_lock_held_by_another_is_waited_for_and_then_named`, `who_waits_too_long_for_a_lock_is_told_who_holds_it` |
//! | an unknown revision, an ambiguous prefix | `an_unknown_revision_is_answered_with_what_was_meant`, `an_ambiguous_prefix_lists_the_candidates` |
//! | a mistyped command, environment, workspace, setting | `a_mistyped_command_is_answered_with_the_one_meant`, `use_makes_an_environment_active_and_a_mistyped_name_is_answered_with_the_one_meant`, `a_mistyped_workspace_is_answered_with_the_one_meant`, `a_mistyped_setting_is_answered_with_the_one_meant` |
//! | settings with a mistake | `a_wrong_setting_is_named_with_its_line`, `a_mistake_in_the_settings_stops_no_plumbing` |

use comfrey::object::ObjectId;

use crate::support::Sandbox;

/// Every Rust file below a folder, as one text.
fn sources(folder: &str, all: &mut String) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for entry in walkdir::WalkDir::new(root).into_iter().map(|entry| entry.unwrap()) {
        if entry.path().extension().is_some_and(|suffix| suffix == "rs") {
            all.push_str(&std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_test_of_the_table_exists() {
    let mut all = String::new();
    sources("src", &mut all);
    sources("tests", &mut all);
    let rows = include_str!("bad_input.rs").lines().filter(|line| line.starts_with("//! |"));
    let mut count = 0;
    for name in rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|name| name.matches('_').count() > 2) {
        assert!(all.contains(&format!("fn {name}(")), "there is no test {name}");
        count += 1;
    }
    assert!(count > 25, "{count}");
}

#[test]
fn a_mistyped_command_is_answered_with_the_one_meant() {
    let run = Sandbox::new().comfrey(["comit"]).fails_with(2);
    assert!(run.stderr.contains("did you mean `comfrey commit`?"), "{}", run.stderr);
}

#[test]
fn a_mistake_in_the_settings_stops_no_plumbing() {
    let sandbox = Sandbox::new();
    sandbox.comfrey(["init", "--no-input", "."]).success();
    sandbox.write("in/a.txt", "hello");
    let id = sandbox.comfrey(["hash-object", "-w", "in/a.txt"]).success().line().to_owned();
    let tree = sandbox.comfrey(["write-tree", "in"]).success().line().to_owned();
    sandbox.write("comfrey.toml", "models.folders = [[[\n");
    for needs_them in [&["status"][..], &["models", "index"], &["hash-object", "-w", "in/a.txt"]] {
        let run = sandbox.comfrey(needs_them).fails_with(2);
        assert!(run.stderr.contains("comfrey.toml:1:"), "{}", run.stderr);
    }
    assert_eq!(sandbox.comfrey(["hash-object", "in/a.txt"]).success().line(), id);
    assert_eq!(sandbox.comfrey(["cat-object", "-p", &id]).success().stdout, "hello");
    let run = sandbox.comfrey(["ls-tree", &tree]).success();
    assert!(run.stdout.ends_with("\ta.txt\n") && run.stderr.contains("comfrey.toml:1:"), "{run:?}");
    sandbox.comfrey(["checkout-tree", &tree, "out"]).success();
    assert_eq!(sandbox.read("out/a.txt"), b"hello");
    let snapshot = sandbox.comfrey(["commit-tree", &tree, "-m", "first"]).success().line().to_owned();
    sandbox.comfrey(["update-ref", "HEAD", &snapshot]).success();
    assert_eq!(sandbox.comfrey(["rev-parse", "HEAD"]).success().line(), snapshot);
    for plumbing in [
        &["rev-list", "--objects", "HEAD"][..],
        &["show-ref"],
        &["diff-tree", &tree, &tree],
        &["index-dir", "in"],
        &["fsck", "--read-data"],
        &["gc", "--dry-run"],
    ] {
        sandbox.comfrey(plumbing).success();
    }
}

#[test]
fn models_found_by_find_go_into_the_store() {
    let sandbox = Sandbox::new();
    comfrey::store::Store::create(&sandbox.join(".comfrey")).unwrap();
    let names = ["a b.safetensors", if cfg!(windows) { "sub/ö.safetensors" } else { "sub/line\nfeed.safetensors" }];
    for name in names.into_iter().chain(["sub/readme.txt"]) {
        sandbox.write(format!("models/{name}"), name);
    }
    // A name may hold a line's end where names end with NUL.
    let script = match cfg!(windows) {
        true => "dir /s /b models\\*.safetensors | comfrey hash-object -w --stdin-paths",
        false => "find models -name '*.safetensors' -print0 | comfrey hash-object -w -z --stdin-paths",
    };
    let run = sandbox.shell(script).success();
    let mut ids: Vec<&str> = run.stdout.split(['\0', '\n']).filter(|id| !id.is_empty()).collect();
    let mut wanted = names.map(|text| ObjectId::of_blob(text.as_bytes()).to_hex());
    ids.sort_unstable();
    wanted.sort();
    assert_eq!(ids, wanted);
    for id in ids {
        sandbox.comfrey(["cat-object", "-e", id]).success();
    }
}
