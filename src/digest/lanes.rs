//! BLAKE3 of sixteen chunks at a time, in an order that memory likes (x86-64 with AVX-512).
//!
//! The `blake3` crate hashes sixteen neighbouring chunks of 1 KiB side by side, which reads sixteen places of the same four
//! pages in turn. From a core's own cache that is as fast as the arithmetic; from main memory no hardware prefetcher makes
//! sense of it, and a quarter of the time is lost waiting (docs/performance.md). Its interface cannot take chunks
//! that lie apart, because their numbers must follow on one another. So here are the same compressions over chunks of any numbers, each
//! lane with its own place in memory:
//!
//! - a lane goes forward through a stretch of its own, so that the sixteen read sixteen streams;
//! - neighbouring lanes are one chunk out of step, so that their lines do not fall into one set of the cache;
//! - what a lane needs six blocks later is asked for in time;
//! - the next block's words are put in order while the present block's rounds run, which keep both vector units busy.
//!
//! [`super::tree`] chooses the places and builds the tree. The algorithm is that of the BLAKE3 paper, section 2.

use std::arch::asm;
use std::arch::x86_64::*;

use blake3::hazmat::ChainingValue;

use super::flavour::{CHUNK, Flavour};

/// Chunks or parents that are hashed at once.
pub(super) const LANES: usize = 16;

const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const BLOCK: usize = 64;
const BLOCKS: usize = CHUNK / BLOCK;
/// Bytes from a line that is read to the line of the same lane that is asked for.
const AHEAD: usize = 6 * BLOCK;

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;

/// True when this processor can run [`chunks`] and [`parents`].
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
}

/// The words of sixteen blocks: word 0 of all lanes, word 1 of all lanes, and so on.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Words([__m512i; 16]);

macro_rules! add {
    ($($to:literal $from:literal)*) => { concat!($("vpaddd zmm", $to, ", zmm", $to, ", zmm", $from, "\n"),*) };
}
macro_rules! add_word {
    ($($to:literal $word:literal)*) => { concat!($("vpaddd zmm", $to, ", zmm", $to, ", [{m} + 64*", $word, "]\n"),*) };
}
macro_rules! xor {
    ($($to:literal $from:literal)*) => { concat!($("vpxord zmm", $to, ", zmm", $to, ", zmm", $from, "\n"),*) };
}
macro_rules! rotate {
    ($by:literal: $($to:literal)*) => { concat!($("vprord zmm", $to, ", zmm", $to, ", ", $by, "\n"),*) };
}
/// The quarter rounds of the four columns or diagonals, each step for all four before the next.
macro_rules! columns {
    ($x0:literal $y0:literal $x1:literal $y1:literal $x2:literal $y2:literal $x3:literal $y3:literal) => {
        concat!(
            add_word!(0 $x0 1 $x1 2 $x2 3 $x3), add!(0 4 1 5 2 6 3 7),
            xor!(12 0 13 1 14 2 15 3), rotate!(16: 12 13 14 15),
            add!(8 12 9 13 10 14 11 15), xor!(4 8 5 9 6 10 7 11), rotate!(12: 4 5 6 7),
            add_word!(0 $y0 1 $y1 2 $y2 3 $y3), add!(0 4 1 5 2 6 3 7),
            xor!(12 0 13 1 14 2 15 3), rotate!(8: 12 13 14 15),
            add!(8 12 9 13 10 14 11 15), xor!(4 8 5 9 6 10 7 11), rotate!(7: 4 5 6 7)
        )
    };
}
macro_rules! diagonals {
    ($x0:literal $y0:literal $x1:literal $y1:literal $x2:literal $y2:literal $x3:literal $y3:literal) => {
        concat!(
            add_word!(0 $x0 1 $x1 2 $x2 3 $x3), add!(0 5 1 6 2 7 3 4),
            xor!(15 0 12 1 13 2 14 3), rotate!(16: 15 12 13 14),
            add!(10 15 11 12 8 13 9 14), xor!(5 10 6 11 7 8 4 9), rotate!(12: 5 6 7 4),
            add_word!(0 $y0 1 $y1 2 $y2 3 $y3), add!(0 5 1 6 2 7 3 4),
            xor!(15 0 12 1 13 2 14 3), rotate!(8: 15 12 13 14),
            add!(10 15 11 12 8 13 9 14), xor!(5 10 6 11 7 8 4 9), rotate!(7: 5 6 7 4)
        )
    };
}
/// One round on the state `v`, which is sixteen registers; `m` points to [`Words`]. In assembly because the compiler orders the
/// additions so that each waits for the one before, which costs a tenth.
macro_rules! round {
    ($v:ident, $m:expr, $($x0:literal $x1:literal $x2:literal $x3:literal $x4:literal $x5:literal $x6:literal $x7:literal)|*) => {
        round!(@ $v, $m, $(($x0 $x1 $x2 $x3 $x4 $x5 $x6 $x7))*)
    };
    (@ $v:ident, $m:expr, ($($c:literal)*) ($($d:literal)*)) => {
        asm!(
            columns!($($c)*), diagonals!($($d)*), m = in(reg) $m,
            inout("zmm0") $v[0], inout("zmm1") $v[1], inout("zmm2") $v[2], inout("zmm3") $v[3],
            inout("zmm4") $v[4], inout("zmm5") $v[5], inout("zmm6") $v[6], inout("zmm7") $v[7],
            inout("zmm8") $v[8], inout("zmm9") $v[9], inout("zmm10") $v[10], inout("zmm11") $v[11],
            inout("zmm12") $v[12], inout("zmm13") $v[13], inout("zmm14") $v[14], inout("zmm15") $v[15],
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}

/// The chaining values of sixteen chunks. Lane `i` is chunk `numbers[i]` of those that begin at `bytes`, whose own
/// number in the whole input is `first + numbers[i]`; its value goes to `values[numbers[i]]`.
///
/// # Safety
///
/// [`available`] is true. `bytes` points to `CHUNK` readable bytes for each of the chunks named, and `values` to as many values.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn chunks(
    flavour: &Flavour,
    bytes: *const u8,
    first: u64,
    numbers: &[usize; LANES],
    values: *mut ChainingValue,
) {
    let key: [__m512i; 8] = std::array::from_fn(|i| _mm512_set1_epi32(flavour.key[i] as i32));
    let counters: [u64; LANES] = std::array::from_fn(|lane| first + numbers[lane] as u64);
    let low: [u32; LANES] = counters.map(|counter| counter as u32);
    let high: [u32; LANES] = counters.map(|counter| (counter >> 32) as u32);
    // SAFETY: what the caller promises; all else points into arrays of this function.
    unsafe {
        let (low, high) = (_mm512_loadu_si512(low.as_ptr().cast()), _mm512_loadu_si512(high.as_ptr().cast()));
        let lanes: [*const u8; LANES] = std::array::from_fn(|lane| bytes.add(numbers[lane] * CHUNK));
        let ask = |block: usize, lanes: &[*const u8]| {
            for lane in lanes {
                _mm_prefetch::<_MM_HINT_T0>(lane.wrapping_add(block * BLOCK + AHEAD).cast());
            }
        };
        let mut both = [Words([low; 16]); 2];
        half(&lanes, 0, &mut both[0].0[..8]);
        half(&lanes, BLOCK / 2, &mut both[0].0[8..]);
        let mut chaining = key;
        for block in 0..BLOCKS {
            let [even, odd] = &mut both;
            let (words, next) = if block % 2 == 0 { (even, odd) } else { (odd, even) };
            let start = if block == 0 { CHUNK_START } else { 0 };
            let end = if block == BLOCKS - 1 { CHUNK_END } else { 0 };
            let mut v = state(&chaining, low, high, flavour.flags | start | end);
            let m = words.0.as_ptr();
            // The last one puts its own first block in order again: nobody looks at it, and it can be read.
            let at = (block + 1) % BLOCKS * BLOCK;
            round!(v, m, 0 1 2 3 4 5 6 7 | 8 9 10 11 12 13 14 15);
            round!(v, m, 2 6 3 10 7 0 4 13 | 1 11 12 5 9 14 15 8);
            half(&lanes, at, &mut next.0[..8]);
            round!(v, m, 3 4 10 12 13 2 7 14 | 6 5 9 0 11 15 8 1);
            ask(block, &lanes[..8]);
            round!(v, m, 10 7 12 9 14 3 13 15 | 4 0 11 2 5 8 1 6);
            half(&lanes, at + BLOCK / 2, &mut next.0[8..]);
            round!(v, m, 12 13 9 11 15 10 14 8 | 7 2 5 3 0 1 6 4);
            ask(block, &lanes[8..]);
            round!(v, m, 9 14 11 5 8 12 15 1 | 13 3 0 10 2 6 4 7);
            round!(v, m, 11 15 5 0 1 9 8 6 | 14 10 2 12 3 4 7 13);
            chaining = std::array::from_fn(|i| _mm512_xor_si512(v[i], v[i + 8]));
        }
        put(chaining, |lane| values.add(numbers[lane]));
    }
}

/// Sixteen parents of the 32 values at `children`, in order, to `parents`, which may be the same place.
///
/// # Safety
///
/// [`available`] is true, `children` points to 32 values and `parents` to sixteen.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn parents(flavour: &Flavour, children: *const ChainingValue, parents: *mut ChainingValue) {
    let key: [__m512i; 8] = std::array::from_fn(|i| _mm512_set1_epi32(flavour.key[i] as i32));
    let zero = _mm512_setzero_si512();
    let mut words = Words([zero; 16]);
    // SAFETY: what the caller promises. All children are read before the first parent is written.
    unsafe {
        let lanes: [*const u8; LANES] = std::array::from_fn(|lane| children.add(2 * lane).cast());
        half(&lanes, 0, &mut words.0[..8]);
        half(&lanes, BLOCK / 2, &mut words.0[8..]);
        let mut v = state(&key, zero, zero, flavour.flags | PARENT);
        let m = words.0.as_ptr();
        round!(v, m, 0 1 2 3 4 5 6 7 | 8 9 10 11 12 13 14 15);
        round!(v, m, 2 6 3 10 7 0 4 13 | 1 11 12 5 9 14 15 8);
        round!(v, m, 3 4 10 12 13 2 7 14 | 6 5 9 0 11 15 8 1);
        round!(v, m, 10 7 12 9 14 3 13 15 | 4 0 11 2 5 8 1 6);
        round!(v, m, 12 13 9 11 15 10 14 8 | 7 2 5 3 0 1 6 4);
        round!(v, m, 9 14 11 5 8 12 15 1 | 13 3 0 10 2 6 4 7);
        round!(v, m, 11 15 5 0 1 9 8 6 | 14 10 2 12 3 4 7 13);
        put(std::array::from_fn(|i| _mm512_xor_si512(v[i], v[i + 8])), |lane| parents.add(lane));
    }
}

/// The state before the rounds.
#[inline]
#[target_feature(enable = "avx512f")]
fn state(chaining: &[__m512i; 8], low: __m512i, high: __m512i, flags: u32) -> [__m512i; 16] {
    let all = |word: u32| _mm512_set1_epi32(word as i32);
    let [a, b, c, d, e, f, g, h] = *chaining;
    [a, b, c, d, e, f, g, h, all(IV[0]), all(IV[1]), all(IV[2]), all(IV[3]), low, high, all(BLOCK as u32), all(flags)]
}

/// Eight words of a block of each lane, from `at` bytes on, turned so that a register holds one word of all lanes.
///
/// # Safety
///
/// Each lane has 32 readable bytes there, and `words` is eight long.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn half(lanes: &[*const u8; LANES], at: usize, words: &mut [__m512i]) {
    let floats = _mm512_castsi512_ps;
    let even = |a, b| _mm512_castps_si512(_mm512_shuffle_ps::<0b10_00_10_00>(floats(a), floats(b)));
    let odd = |a, b| _mm512_castps_si512(_mm512_shuffle_ps::<0b11_01_11_01>(floats(a), floats(b)));
    // A row is the eight words of lane i, then those of lane i + 8.
    let rows: [__m512i; 8] = std::array::from_fn(|i| {
        // SAFETY: what the caller promises.
        let (this, other) =
            unsafe { (_mm256_loadu_si256(lanes[i].add(at).cast()), _mm256_loadu_si256(lanes[i + 8].add(at).cast())) };
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(this), other)
    });
    let low: [__m512i; 4] = std::array::from_fn(|i| _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]));
    let high: [__m512i; 4] = std::array::from_fn(|i| _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]));
    // Now four lanes' words n and n + 4 stand together; two such make word n of all lanes, and word n + 4.
    let fours = [
        (even(low[0], low[1]), even(low[2], low[3])),
        (odd(low[0], low[1]), odd(low[2], low[3])),
        (even(high[0], high[1]), even(high[2], high[3])),
        (odd(high[0], high[1]), odd(high[2], high[3])),
    ];
    let first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    let second = _mm512_setr_epi32(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    for (word, (a, b)) in fours.into_iter().enumerate() {
        words[word] = _mm512_permutex2var_epi32(a, first, b);
        words[word + 4] = _mm512_permutex2var_epi32(a, second, b);
    }
}

/// Turns eight registers of one word of all lanes into one value a lane.
///
/// # Safety
///
/// What `place` gives may be written to.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn put(words: [__m512i; 8], place: impl Fn(usize) -> *mut ChainingValue) {
    // The first four words of four lanes in each register, or the last four.
    let quarter = |words: &[__m512i]| {
        let (a, b) = (_mm512_unpacklo_epi32(words[0], words[1]), _mm512_unpackhi_epi32(words[0], words[1]));
        let (c, d) = (_mm512_unpacklo_epi32(words[2], words[3]), _mm512_unpackhi_epi32(words[2], words[3]));
        [
            _mm512_unpacklo_epi64(a, c),
            _mm512_unpackhi_epi64(a, c),
            _mm512_unpacklo_epi64(b, d),
            _mm512_unpackhi_epi64(b, d),
        ]
    };
    let (front, back) = (quarter(&words[..4]), quarter(&words[4..]));
    for i in 0..4 {
        let split = |four| {
            [
                _mm512_castsi512_si128(four),
                _mm512_extracti32x4_epi32::<1>(four),
                _mm512_extracti32x4_epi32::<2>(four),
                _mm512_extracti32x4_epi32::<3>(four),
            ]
        };
        for (group, (a, b)) in split(front[i]).into_iter().zip(split(back[i])).enumerate() {
            // SAFETY: what the caller promises; a value is 32 bytes.
            unsafe {
                let to = place(group * 4 + i).cast::<__m128i>();
                _mm_storeu_si128(to, a);
                _mm_storeu_si128(to.add(1), b);
            }
        }
    }
}
