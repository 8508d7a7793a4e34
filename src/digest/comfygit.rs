//! The sampled id by which ComfyGit 0.7 names a model, so that its files can be read.
//!
//! XXH3-128 with seed 0 over the size in ASCII decimal digits and the first 5 MiB; for a file of more than 30 MiB also
//! 5 MiB from `size / 2 - 2_621_440` on and the last 5 MiB. The id is the high 64 bits. It names a file of up to
//! 30 MiB by its size and first 5 MiB only, so Comfrey never uses it to tell files apart.

use std::fs::File;
use std::io;

use xxhash_rust::xxh3::Xxh3;

use crate::platform::identity::FileStamp;
use crate::platform::reading::Reader;

use super::ComfyGitId;

const SAMPLE: u64 = 5 * 1024 * 1024;
const WHOLE: u64 = 30 * 1024 * 1024;

/// The ComfyGit id of an open file of `size` bytes. A file that ends earlier is an error of kind `UnexpectedEof`.
pub fn comfygit_id(file: &File, size: u64) -> io::Result<ComfyGitId> {
    let stamp = FileStamp::of_file(file)?;
    let reader = Reader::new(file, &stamp);
    sampled(size, |buffer, offset| match reader.read_at(buffer, offset)? {
        read if read < buffer.len() => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    })
}

/// `read` fills the buffer from the offset on.
fn sampled(size: u64, mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>) -> io::Result<ComfyGitId> {
    let mut state = Xxh3::new();
    state.update(size.to_string().as_bytes());
    let mut samples = vec![(0, SAMPLE.min(size))];
    if size > WHOLE {
        samples.extend([(size / 2 - SAMPLE / 2, SAMPLE), (size - SAMPLE, SAMPLE)]);
    }
    let mut buffer = vec![0; 64 * 1024];
    for (offset, length) in samples {
        for start in (0..length).step_by(buffer.len()) {
            let part = buffer.len().min((length - start) as usize);
            read(&mut buffer[..part], offset + start)?;
            state.update(&buffer[..part]);
        }
    }
    Ok(ComfyGitId::from_bits((state.digest128() >> 64) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: u64, byte: impl Fn(u64) -> u8) -> String {
        let fill = |buffer: &mut [u8], offset: u64| {
            buffer.iter_mut().zip(offset..).for_each(|(to, i)| *to = byte(i));
            Ok(())
        };
        sampled(size, fill).unwrap().to_string()
    }

    /// Repeats every 256 bytes.
    fn a(i: u64) -> u8 {
        (i * 31 + 7) as u8
    }

    /// Does not, so that a wrong offset shows.
    fn b(i: u64) -> u8 {
        a(i) ^ (i >> 8) as u8 ^ (i >> 16) as u8
    }

    #[test]
    fn the_ids_are_those_that_comfygit_itself_computes() {
        let vectors = [
            (0, "ce8f15881282a400", "ce8f15881282a400"),
            (1, "bd63d76f0a839d84", "bd63d76f0a839d84"),
            (1_024, "eff9e44d8b59b18a", "1ee4886460520d49"),
            (5_242_880, "75f73b04389cf2c3", "1e1bd42fa5558ff4"),
            (5_242_881, "9394d8fd15f7d290", "05356ce07a167e60"),
            (20_971_520, "9ace8cc871cf0bd2", "2079b03d85e54d55"),
            (31_457_280, "6e55c2b42de592ad", "e91ef88989def071"),
            (31_457_281, "e62cf44c7020660f", "79ef3dbb3796ddf3"),
            (209_715_200, "58f668677fbeec51", "c2cd278a0e350400"),
        ];
        for (size, with_a, with_b) in vectors {
            assert_eq!((of(size, a).as_str(), of(size, b).as_str()), (with_a, with_b), "{size}");
        }
    }

    #[test]
    fn files_of_28_mib_that_differ_at_6_mib_are_one_to_comfygit() {
        let size = 28 * 1024 * 1024;
        let flipped = |i| if i == 6 * 1024 * 1024 { !b(i) } else { b(i) };
        assert_eq!(of(size, b), "7c76469cc64e33dc");
        assert_eq!(of(size, flipped), "7c76469cc64e33dc");
    }
}
