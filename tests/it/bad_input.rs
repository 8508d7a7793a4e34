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
//!
//! Environments, their nodes and their Python: each a clear error, and the environment as before.
//!
//! | given | tests |
//! | --- | --- |
//! | a node archive that leaves its folder: zip and tar.gz, `..`, absolute, drive letter, backslash, links out | `an_archive_that_leads_out_of_its_folder_in_any_way_is_refused_by_the_name_that_does`, `an_archive_that_is_not_one_or_leaves_its_folder_is_refused_and_nothing_is_changed` |
//! | the same of a ComfyUI | `an_archive_that_leaves_its_folder_is_refused` |
//! | a registry that answers nonsense, at each of its answers; a wrong digest | `nonsense_at_any_of_the_registrys_answers_is_told_with_its_address_and_nothing_is_changed`, `a_registry_that_answers_nonsense_is_told_and_nothing_is_changed`, `a_registry_whose_answers_are_cut_is_asked_again_and_then_told`, `a_flagged_version_is_warned_of`, `an_archive_of_either_kind_and_a_single_file_come_from_a_disk_or_an_address` |
//! | a git reference that does not exist | `a_repository_comes_at_a_reference_and_the_manifest_knows_its_commit`, `an_update_follows_the_branch_that_was_asked_for_and_stays_at_a_tag_or_commit`, `a_clone_that_cannot_be_updated_says_why_and_stays_as_it_is`, `a_reference_that_is_not_there_names_those_near_it` |
//! | two nodes of one folder name, one off, equal but for case, a file of that name | `a_folder_that_is_taken_is_said_to_be_whoever_wants_it`, `two_nodes_of_one_folder_name_are_told_apart` |
//! | a node whose folder is open in another program | `a_node_whose_folder_is_open_in_another_program_stays_as_it_is` |
//! | requirements that cannot be met: a node's, ComfyUI's, a person's | `requirements_that_nobody_can_meet_are_named_with_the_node_that_has_them_and_nothing_is_changed`, `two_nodes_that_disagree_are_named_before_anything_is_touched`, `requirements_of_comfyui_that_cannot_be_met_are_named_and_nothing_is_made`, `what_cannot_be_had_is_refused_with_who_wants_it_and_nothing_is_changed`, `two_nodes_that_disagree_are_named_and_nothing_is_changed` |
//! | requirements that name a local path, an index, a URL, a file that is not there | `requirements_that_name_a_path_an_index_or_an_address_are_left_out_by_name_and_reason`, `requirements_of_comfyui_that_name_a_path_an_index_or_no_package_are_left_out_and_told` |
//! | no network: registry, archive, git, the look for a release, resolving, installing, no uv | `without_a_network_each_step_says_which_host_it_wanted_and_changes_nothing`, `without_a_network_create_says_what_could_not_be_reached_and_leaves_nothing`, `without_a_network_neither_resolving_nor_installing_changes_anything_and_both_say_what_to_do`, `where_there_is_no_uv_it_is_said_how_to_have_one`, `the_default_is_the_newest_release_of_comfyuis_own_repository`, `what_was_fetched_once_needs_neither_git_nor_a_network_again` |
//! | uv that fails, or is killed in the middle | `when_uv_fails_everything_is_put_back_and_its_last_lines_are_shown`, `uv_killed_at_any_of_its_steps_is_said_and_everything_is_put_back`, `uv_that_is_killed_or_finds_no_network_ends_an_addition_or_update_with_all_as_it_was`, `uv_killed_while_it_makes_the_first_virtual_environment_leaves_none`, `uv_or_comfrey_killed_at_any_step_of_create_leaves_nothing_behind`, `a_python_that_cannot_be_made_takes_the_environment_with_it` |
//! | Comfrey killed while uv works, or while ComfyUI runs | `a_command_killed_while_uv_works_is_undone_by_the_next`, `whatever_command_is_killed_while_uv_works_the_next_takes_it_back`, `an_addition_that_dies_with_its_uv_is_undone_by_the_next_command`, `the_record_of_a_run_that_was_killed_is_swept` |
//! | a full disk in the middle of `create`, `node add`, `py add`, `sync`, `rollback` | `a_full_disk_ends_it_with_a_clear_error_and_nothing_left`, `a_disk_that_is_full_where_the_store_or_comfyui_lies_ends_an_addition_with_all_as_it_was`, `a_disk_that_is_full_once_packages_come_is_told_and_all_is_as_it_was`, `a_disk_that_is_full_while_uv_installs_changes_nothing`, `a_fault_at_every_step_of_an_addition_leaves_all_before_or_all_after` |
//! | a `pyproject.toml` edited by hand into no TOML, or with a value of another kind | `every_command_that_reads_the_manifest_names_file_line_and_column_and_the_ways_out`, `rollback_leads_out_of_a_manifest_that_cannot_be_read_and_undo_back_to_it`, `a_manifest_that_is_no_text_is_named_with_the_place`, `a_template_that_is_no_manifest_is_named_with_line_and_column`, `a_manifest_that_is_no_toml_is_named_with_its_line_and_nothing_is_changed` |

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
    assert!(count > 70, "{count}");
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
