// SPDX-License-Identifier: GPL-2.0

//! Numbers that chance chose, always the same ones for a seed.

use kernel::page::PAGE_SIZE as PAGE;

/// Splitmix64.
pub(crate) struct Random(u64);

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Sizes at which something may be different, with as many small ones as others.
const SIZES: [usize; 36] = [
    1,
    2,
    3,
    7,
    8,
    9,
    16,
    24,
    63,
    64,
    65,
    100,
    127,
    128,
    192,
    193,
    255,
    256,
    300,
    500,
    512,
    1000,
    1536,
    2048,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    PAGE + 64,
    2 * PAGE - 1,
    2 * PAGE,
    2 * PAGE + 1,
    3 * PAGE,
    5 * PAGE + 3,
    16 * PAGE - 1,
    16 * PAGE,
    16 * PAGE + 1,
];

impl Random {
    /// The numbers for one thing of many: what comes of the others makes no difference.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// One that is less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn size(&mut self) -> usize {
        match self.below(4) {
            0 => 1 + self.below(2 * PAGE),
            // The largest ones take long to be compared.
            1 => SIZES[SIZES.len() - 12 + self.below(12)],
            _ => SIZES[self.below(SIZES.len() - 12)],
        }
    }

    /// A part of `len`, which is not 0: as a rule one that touches an end, or is a few bytes long.
    pub(crate) fn part(&mut self, len: usize) -> (usize, usize) {
        let long = match self.below(5) {
            0 => len,
            1 => 1,
            2 => 1 + self.below(len.min(16)),
            3 => 1 + self.below(len.min(PAGE)),
            _ => 1 + self.below(len),
        };
        let start = match self.below(4) {
            0 => 0,
            1 => len - long,
            2 => (self.below(len - long + 1) / 64) * 64,
            _ => self.below(len - long + 1),
        };
        (start, start + long)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let some = self.next().to_le_bytes();
            chunk.copy_from_slice(&some[..chunk.len()]);
        }
    }
}
