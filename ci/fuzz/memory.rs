// SPDX-License-Identifier: GPL-2.0

//! All kinds of memory, accessed in one way.

use crate::random::Random;
use kernel::{
    dma::{
        Backing, Bidirectional, Coherent, CoherentBox, CoherentHandle, CpuGuard, Direction,
        DmaAddress, FromDevice, Mapping, NonCoherent, PageBox, Pool, PoolBox, PoolCoherent,
        Quiesced, ToDevice,
    },
    dma_struct,
    io::Io,
    io_project, io_read, io_write,
    prelude::*,
    scatterlist::{Owned, Pages, SGMemory, SGTable, SGTableForCpu},
    sync::Arc,
};

pub(crate) type Table<'bound, M, D> = SGTable<Owned<'bound, M, D>>;
pub(crate) type Lists<'bound> = Arc<Pool<'bound, [u64]>>;

dma_struct! {
    #[derive(Clone, Copy)]
    pub(crate) struct Record {
        pub(crate) long: u64,
        pub(crate) word: u32,
        pub(crate) short: u16,
        pub(crate) bytes: [u8; 2],
        pub(crate) tail: [u16; 4],
    }
}

/// Shows that the device has finished with some memory: `World::finished` makes it, which has seen
/// the run bit clear since the device was told of the memory, if it ever was.
pub(crate) struct Finished(pub(crate) ());

/// What comes of it when memory is dropped.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    /// The device can't master the bus.
    pub(crate) quiesced: bool,
    /// One may not sleep.
    pub(crate) atomic: bool,
}

/// Compares memory with what it should be, a few bytes at a time: there may be no memory to spare.
fn same(expected: &[u8], mut copy: impl FnMut(usize, &mut [u8]) -> Result) -> Result<bool> {
    let mut found = [0; 256];
    let mut at = 0;
    for expected in expected.chunks(found.len()) {
        let found = &mut found[..expected.len()];
        copy(at, found)?;
        if let Some(wrong) = (0..found.len()).find(|byte| found[*byte] != expected[*byte]) {
            let (offset, is, should) = (at + wrong, found[wrong], expected[wrong]);
            pr_err!("byte {offset} of the part is {is:#04x}, not {should:#04x}\n");
            return Ok(false);
        }
        at += found.len();
    }
    Ok(true)
}

fn same_slice(expected: &[u8], found: &[u8]) -> Result<bool> {
    check!(expected.len() == found.len());
    same(expected, |at, to| {
        to.copy_from_slice(&found[at..at + to.len()]);
        Ok(())
    })
}

/// One kind of memory.
pub(crate) trait Kind: Sized {
    /// Whether the device may read, and write, it.
    const READS: bool;
    const WRITES: bool;
    /// Whether the CPU can read it, and write to it.
    const LOOKS: bool = true;
    const PUTS: bool = true;
    /// Whether what is left when the device has finished with it can be freed where one may not
    /// sleep.
    const ANYWHERE: bool = true;

    fn size(&self) -> usize;

    /// Where the device finds the byte at `at`, and how many are in one piece with it.
    fn address(&self, at: usize) -> Result<(DmaAddress, usize)>;

    /// Whether this is in there, from `at` on. By way of all the memory, if `whole`.
    fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool>;

    fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result;

    /// How many are parked when it is dropped. 1, or none.
    fn parks(&self, context: Context) -> bool {
        !context.quiesced || context.atomic
    }

    /// As `parks`, for `finish`.
    fn parks_finished(&self, _context: Context) -> bool {
        false
    }

    /// Takes it back, looks whether this is in there, and frees it. There may be nothing to be
    /// expected.
    fn finish(self, expected: Option<&[u8]>, finished: &Finished) -> Result<bool>;

    /// As `finish`, of a device that can't master the bus.
    fn finish_quiesced(mut self, expected: Option<&[u8]>, _proof: &Quiesced<'_>) -> Result<bool> {
        match expected {
            Some(expected) if Self::LOOKS => self.has(0, expected, true),
            _ => Ok(true),
        }
    }

    /// Has others refused that are at the edges of it, or beyond.
    fn edges(&mut self, _random: &mut Random) -> Result {
        Ok(())
    }
}

/// Ranges of which none is within `len`, or has anything in it.
fn wrong(len: usize, random: &mut Random) -> core::ops::Range<usize> {
    let (start, end) = random.pick(&[
        (0, 0),
        (0, len + 1),
        (len, len),
        (len, len + 1),
        (len - 1, len + 1),
        (len + 1, len),
        (1, 0),
        (1, usize::MAX),
        (usize::MAX, 1),
        (usize::MAX, usize::MAX),
        (len / 2, usize::MAX - len / 2),
    ]);
    start..end
}

/// An index of none of `len`.
fn beyond(len: usize, random: &mut Random) -> usize {
    random.pick(&[
        len,
        len + 1,
        2 * len + 1,
        usize::MAX,
        isize::MAX as usize,
        isize::MAX as usize + 1,
    ])
}

impl Kind for Coherent<'_, [u8]> {
    const READS: bool = true;
    const WRITES: bool = true;

    fn size(&self) -> usize {
        Coherent::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        let left = self.len() - at;
        Ok((io_project!(self, [try: at..]).dma_address(), left))
    }

    fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool> {
        if whole {
            // Byte by byte, at the ends.
            for (offset, expected) in expected.iter().enumerate() {
                if offset < 9 || offset > expected_last(at, self.len()) {
                    check!(io_read!(self, [try: at + offset]) == *expected);
                }
            }
        }
        same(expected, |offset, to| {
            io_project!(self, [try: at + offset..at + offset + to.len()]).copy_to_slice(to);
            Ok(())
        })
    }

    fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result {
        if whole && from.len() < 64 {
            for (offset, byte) in from.iter().enumerate() {
                io_write!(self, [try: at + offset], *byte);
            }
            return Ok(());
        }
        io_project!(self, [try: at..at + from.len()]).copy_from_slice(from);
        Ok(())
    }

    fn parks_finished(&self, context: Context) -> bool {
        context.atomic
    }

    fn finish(mut self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        // SAFETY: The run bit, bit 0 of the register at 0x98, was clear since the device was told
        // of the memory, as `Finished` shows.
        let bytes = unsafe { self.as_mut() };
        let good = expected.map_or(Ok(true), |expected| same_slice(expected, bytes))?;
        bytes.fill(0xa5);
        // SAFETY: As above: the run bit was clear.
        unsafe { self.free() };
        Ok(good)
    }

    fn finish_quiesced(mut self, expected: Option<&[u8]>, proof: &Quiesced<'_>) -> Result<bool> {
        let bytes = self.as_mut_quiesced(proof)?;
        expected.map_or(Ok(true), |expected| same_slice(expected, bytes))
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        let len = self.len();
        let index = beyond(len, random);
        let read = || -> Result<u8> { Ok(io_read!(self, [try: index])) };
        check!(read() == Err(ERANGE));
        let write = || -> Result {
            io_write!(self, [try: index], 0xbd);
            Ok(())
        };
        check!(write() == Err(ERANGE));
        let range = wrong(len, random);
        if range.start > len || range.end > len || range.start > range.end {
            let view = || -> Result<u64> { Ok(io_project!(self, [try: range]).dma_address()) };
            check!(view() == Err(ERANGE));
        }
        Ok(())
    }
}

/// Behind this, it is the last bytes of `len`, as counted from `at`.
fn expected_last(at: usize, len: usize) -> usize {
    (len - at).saturating_sub(9)
}

/// `has` and `put` of shared memory that is an array of integers, each of which is accessed as a whole.
macro_rules! words {
    ($word:ident, $size:literal) => {
        fn has(&mut self, at: usize, expected: &[u8], _whole: bool) -> Result<bool> {
            same(expected, |offset, to| {
                for (number, byte) in to.iter_mut().enumerate() {
                    let at = at + offset + number;
                    *byte = io_read!(self, [try: at / $size]).to_ne_bytes()[at % $size];
                }
                Ok(())
            })
        }

        fn put(&mut self, at: usize, from: &[u8], _whole: bool) -> Result {
            for (number, byte) in from.iter().enumerate() {
                let at = at + number;
                let mut word = io_read!(self, [try: at / $size]).to_ne_bytes();
                word[at % $size] = *byte;
                io_write!(self, [try: at / $size], $word::from_ne_bytes(word));
            }
            Ok(())
        }
    };
}

impl Kind for Coherent<'_, [u32]> {
    const READS: bool = true;
    const WRITES: bool = true;

    fn size(&self) -> usize {
        Coherent::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        let word = io_project!(self, [try: at / 4]).dma_address();
        Ok((word + (at % 4) as DmaAddress, self.size() - at))
    }

    words!(u32, 4);

    fn parks_finished(&self, context: Context) -> bool {
        context.atomic
    }

    fn finish(mut self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        let good = expected.map_or(Ok(true), |expected| self.has(0, expected, true))?;
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        unsafe { self.free() };
        Ok(good)
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        let index = beyond(self.len(), random);
        let read = || -> Result<u32> { Ok(io_read!(self, [try: index])) };
        check!(read() == Err(ERANGE));
        Ok(())
    }
}

impl Record {
    fn bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.long.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.word.to_ne_bytes());
        bytes[12..14].copy_from_slice(&self.short.to_ne_bytes());
        bytes[14..16].copy_from_slice(&self.bytes);
        for (number, tail) in self.tail.iter().enumerate() {
            bytes[16 + 2 * number..18 + 2 * number].copy_from_slice(&tail.to_ne_bytes());
        }
        bytes
    }
}

impl Kind for Coherent<'_, Record> {
    const READS: bool = true;
    const WRITES: bool = true;

    fn size(&self) -> usize {
        Coherent::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        let start = match at {
            0..=7 => io_project!(self, .long).dma_address(),
            8..=11 => io_project!(self, .word).dma_address() - 8,
            12..=13 => io_project!(self, .short).dma_address() - 12,
            14..=15 => io_project!(self, .bytes).dma_address() - 14,
            _ => io_project!(self, .tail[build: 3]).dma_address() - 22,
        };
        Ok((start + at as DmaAddress, 24 - at))
    }

    fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool> {
        let record = if whole {
            self.copy_read()
        } else {
            Record {
                long: io_read!(self, .long),
                word: io_read!(self, .word),
                short: io_read!(self, .short),
                bytes: io_project!(self, .bytes).copy_read(),
                tail: [
                    io_read!(self, .tail[build: 0]),
                    io_read!(self, .tail[build: 1]),
                    io_read!(self, .tail[try: 2]),
                    io_read!(self, .tail[try: 3]),
                ],
            }
        };
        same_slice(expected, &record.bytes()[at..at + expected.len()])
    }

    fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result {
        let mut bytes = self.copy_read().bytes();
        bytes[at..at + from.len()].copy_from_slice(from);
        let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| u32::from(short(at)) | (u32::from(short(at + 2)) << 16);
        let record = Record {
            long: u64::from(word(0)) | (u64::from(word(4)) << 32),
            word: word(8),
            short: short(12),
            bytes: [bytes[14], bytes[15]],
            tail: [short(16), short(18), short(20), short(22)],
        };
        if whole {
            self.copy_write(record);
            return Ok(());
        }
        io_write!(self, .long, record.long);
        io_write!(self, .word, record.word);
        io_write!(self, .short, record.short);
        io_project!(self, .bytes).copy_write(record.bytes);
        for (index, tail) in record.tail.iter().enumerate() {
            io_write!(self, .tail[try: index], *tail);
        }
        Ok(())
    }

    fn parks_finished(&self, context: Context) -> bool {
        context.atomic
    }

    fn finish(mut self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        let good = expected.map_or(Ok(true), |expected| self.has(0, expected, false))?;
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        unsafe { self.free() };
        Ok(good)
    }
}

impl Kind for CoherentBox<'_, [u8]> {
    const READS: bool = false;
    const WRITES: bool = false;

    fn size(&self) -> usize {
        self.len()
    }

    fn address(&self, _at: usize) -> Result<(DmaAddress, usize)> {
        Err(ENXIO)
    }

    fn has(&mut self, at: usize, expected: &[u8], _whole: bool) -> Result<bool> {
        same_slice(expected, &self[at..at + expected.len()])
    }

    fn put(&mut self, at: usize, from: &[u8], _whole: bool) -> Result {
        self[at..at + from.len()].copy_from_slice(from);
        Ok(())
    }

    fn parks(&self, context: Context) -> bool {
        context.atomic
    }

    fn parks_finished(&self, context: Context) -> bool {
        context.atomic
    }

    fn finish(self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        expected.map_or(Ok(true), |expected| same_slice(expected, &self))
    }
}

impl Kind for CoherentHandle<'_> {
    const READS: bool = true;
    const WRITES: bool = true;
    const LOOKS: bool = false;
    const PUTS: bool = false;

    fn size(&self) -> usize {
        CoherentHandle::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        Ok((self.dma_address_at(at)?, self.size() - at))
    }

    fn has(&mut self, _at: usize, _expected: &[u8], _whole: bool) -> Result<bool> {
        Err(ENXIO)
    }

    fn put(&mut self, _at: usize, _from: &[u8], _whole: bool) -> Result {
        Err(ENXIO)
    }

    fn parks_finished(&self, context: Context) -> bool {
        context.atomic
    }

    fn finish(self, _expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        unsafe { self.free() };
        Ok(true)
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        check!(self.dma_address_at(beyond(self.size(), random)) == Err(EINVAL));
        check!(
            self.dma_address_at(self.size() - 1)? - self.dma_address() == self.size() as u64 - 1
        );
        Ok(())
    }
}

/// How a guard is used depends on the direction.
pub(crate) trait Way: Direction {
    const READS: bool;

    fn get(guard: &CpuGuard<'_, [u8], Self>, at: usize, to: &mut [u8]) -> Result
    where
        Self: Sized;
    fn set(guard: &mut CpuGuard<'_, [u8], Self>, at: usize, from: &[u8]) -> Result
    where
        Self: Sized;
    fn get_words(
        guard: &SGTableForCpu<'_, '_, VVec<u16>, Self>,
        at: usize,
        to: &mut [u16],
    ) -> Result
    where
        Self: Sized;
    fn set_words(
        guard: &mut SGTableForCpu<'_, '_, VVec<u16>, Self>,
        at: usize,
        from: &[u16],
    ) -> Result
    where
        Self: Sized;
}

impl Way for ToDevice {
    const READS: bool = true;

    fn get(guard: &CpuGuard<'_, [u8], Self>, at: usize, to: &mut [u8]) -> Result {
        to.copy_from_slice(guard.get(at..at + to.len()).ok_or(ERANGE)?);
        Ok(())
    }

    fn set(guard: &mut CpuGuard<'_, [u8], Self>, at: usize, from: &[u8]) -> Result {
        let to = guard.get_mut(at..at + from.len()).ok_or(ERANGE)?;
        to.copy_from_slice(from);
        Ok(())
    }

    fn get_words(
        guard: &SGTableForCpu<'_, '_, VVec<u16>, Self>,
        at: usize,
        to: &mut [u16],
    ) -> Result {
        to.copy_from_slice(guard.get(at..at + to.len()).ok_or(ERANGE)?);
        Ok(())
    }

    fn set_words(
        guard: &mut SGTableForCpu<'_, '_, VVec<u16>, Self>,
        at: usize,
        from: &[u16],
    ) -> Result {
        let to = guard.get_mut(at..at + from.len()).ok_or(ERANGE)?;
        to.copy_from_slice(from);
        Ok(())
    }
}

macro_rules! written_by_device {
    ($($way:ident: $reads:literal;)*) => {
        $(
            impl Way for $way {
                const READS: bool = $reads;

                fn get(guard: &CpuGuard<'_, [u8], Self>, at: usize, to: &mut [u8]) -> Result {
                    io_project!(guard, [try: at..at + to.len()]).copy_to_slice(to);
                    Ok(())
                }

                fn set(guard: &mut CpuGuard<'_, [u8], Self>, at: usize, from: &[u8]) -> Result {
                    io_project!(&*guard, [try: at..at + from.len()]).copy_from_slice(from);
                    Ok(())
                }

                fn get_words(
                    guard: &SGTableForCpu<'_, '_, VVec<u16>, Self>,
                    at: usize,
                    to: &mut [u16],
                ) -> Result {
                    io_project!(guard, [try: at..at + to.len()]).copy_to_slice(to);
                    Ok(())
                }

                fn set_words(
                    guard: &mut SGTableForCpu<'_, '_, VVec<u16>, Self>,
                    at: usize,
                    from: &[u16],
                ) -> Result {
                    io_project!(&*guard, [try: at..at + from.len()]).copy_from_slice(from);
                    Ok(())
                }
            }
        )*
    };
}

written_by_device! {
    FromDevice: false;
    Bidirectional: true;
}

/// What is left of a mapping when the device has finished with it.
pub(crate) trait Rest: Backing {
    /// A guard of all of it.
    fn all<'a, D: Way>(mapping: &'a mut Mapping<'_, Self, D>) -> Result<CpuGuard<'a, [u8], D>> {
        let size = mapping.size();
        mapping.for_cpu_bytes(0..size)
    }

    /// Has ranges of elements refused, or not, if it has elements.
    fn ranges<D: Way>(_mapping: &mut Mapping<'_, Self, D>, _random: &mut Random) -> Result {
        Ok(())
    }

    fn finish<D: Way>(
        mapping: Mapping<'_, Self, D>,
        expected: Option<&[u8]>,
        finished: &Finished,
    ) -> Result<bool>;
    fn finish_quiesced<D: Way>(
        mapping: Mapping<'_, Self, D>,
        expected: Option<&[u8]>,
        proof: &Quiesced<'_>,
    ) -> Result<bool>;
    const PARKS: bool = false;
}

macro_rules! buffers {
    ($($buffer:ty $({ $($more:tt)* })?: $bytes:expr;)*) => {
        $(
            impl Rest for $buffer {
                $($($more)*)?

                fn finish<D: Way>(
                    mapping: Mapping<'_, Self, D>,
                    expected: Option<&[u8]>,
                    _finished: &Finished,
                ) -> Result<bool> {
                    // SAFETY: As `Finished` shows, the run bit was clear since the device was told
                    // of it.
                    let buffer = unsafe { mapping.unmap() };
                    let bytes: fn(&$buffer) -> &[u8] = $bytes;
                    expected.map_or(Ok(true), |expected| same_slice(expected, bytes(&buffer)))
                }

                fn finish_quiesced<D: Way>(
                    mapping: Mapping<'_, Self, D>,
                    expected: Option<&[u8]>,
                    proof: &Quiesced<'_>,
                ) -> Result<bool> {
                    let buffer = mapping.unmap_quiesced(proof)?;
                    let bytes: fn(&$buffer) -> &[u8] = $bytes;
                    expected.map_or(Ok(true), |expected| same_slice(expected, bytes(&buffer)))
                }
            }
        )*
    };
}

/// Of those that have elements.
macro_rules! elements {
    () => {
        fn all<'a, D: Way>(mapping: &'a mut Mapping<'_, Self, D>) -> Result<CpuGuard<'a, [u8], D>> {
            Ok(mapping.for_cpu())
        }

        fn ranges<D: Way>(mapping: &mut Mapping<'_, Self, D>, random: &mut Random) -> Result {
            let len = mapping.len();
            check!(mapping.for_cpu_range(wrong(len, random)).err() == Some(EINVAL));
            check!(mapping.dma_address_of(beyond(len, random)) == Err(EINVAL));
            let (start, end) = random.part(len);
            check!(mapping.dma_address_of(start)? - mapping.dma_address() == start as u64);
            drop(mapping.for_cpu_range(start..end)?);
            Ok(())
        }
    };
}

buffers! {
    KVec<u8> { elements!(); }: |buffer| buffer;
    KBox<[u8; 192]>: |buffer| &buffer[..];
    PageBox: |buffer| &buffer[..];
}

impl Rest for kernel::dma::Allocated<[u8]> {
    elements!();

    const PARKS: bool = true;

    fn finish<D: Way>(
        mut mapping: Mapping<'_, Self, D>,
        expected: Option<&[u8]>,
        _finished: &Finished,
    ) -> Result<bool> {
        let good = expected.map_or(Ok(true), |expected| mapping.has(0, expected, true))?;
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        unsafe { mapping.free() };
        Ok(good)
    }

    fn finish_quiesced<D: Way>(
        mut mapping: Mapping<'_, Self, D>,
        expected: Option<&[u8]>,
        _proof: &Quiesced<'_>,
    ) -> Result<bool> {
        expected.map_or(Ok(true), |expected| mapping.has(0, expected, true))
    }
}

impl<B: Rest, D: Way> Kind for Mapping<'_, B, D> {
    const READS: bool = <D as Way>::READS;
    const WRITES: bool = <D as Direction>::WRITES;
    // What the CPU writes there may get lost.
    const PUTS: bool = <D as Way>::READS;

    fn size(&self) -> usize {
        Mapping::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        Ok((self.dma_address_at(at)?, self.size() - at))
    }

    fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool> {
        let (guard, at) = if whole {
            (B::all(self)?, at)
        } else {
            (self.for_cpu_bytes(at..at + expected.len())?, 0)
        };
        same(expected, |offset, to| D::get(&guard, at + offset, to))
    }

    fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result {
        let (mut guard, at) = if whole {
            (B::all(self)?, at)
        } else {
            (self.for_cpu_bytes(at..at + from.len())?, 0)
        };
        D::set(&mut guard, at, from)
    }

    fn parks_finished(&self, context: Context) -> bool {
        B::PARKS && context.atomic
    }

    fn finish(self, expected: Option<&[u8]>, finished: &Finished) -> Result<bool> {
        B::finish(self, expected, finished)
    }

    fn finish_quiesced(self, expected: Option<&[u8]>, proof: &Quiesced<'_>) -> Result<bool> {
        B::finish_quiesced(self, expected, proof)
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        let size = self.size();
        check!(self.dma_address_at(beyond(size, random)) == Err(EINVAL));
        check!(self.dma_address_at(size - 1)? - self.dma_address() == size as u64 - 1);
        check!(self.for_cpu_bytes(wrong(size, random)).err() == Some(EINVAL));
        B::ranges(self, random)?;
        // One that is forgotten, after nothing was written, makes no difference.
        let (start, end) = random.part(size);
        core::mem::forget(self.for_cpu_bytes(start..end)?);
        Ok(())
    }
}

/// The bytes of words. They are copied, since they are compared by bytes.
fn words(at: usize, bytes: usize) -> (usize, usize) {
    (at / 2, (at + bytes).div_ceil(2))
}

/// Memory of tables.
pub(crate) trait Piecewise: SGMemory {
    const ANYWHERE: bool;

    fn get<D: Way>(guard: &SGTableForCpu<'_, '_, Self, D>, at: usize, to: &mut [u8]) -> Result
    where
        Self: Sized;
    fn set<D: Way>(guard: &mut SGTableForCpu<'_, '_, Self, D>, at: usize, from: &[u8]) -> Result
    where
        Self: Sized;
    fn is(&self, expected: &[u8]) -> Result<bool>;
}

impl Piecewise for Pages {
    const ANYWHERE: bool = true;

    fn get<D: Way>(guard: &SGTableForCpu<'_, '_, Self, D>, at: usize, to: &mut [u8]) -> Result {
        guard.copy_to_slice(at, to)
    }

    fn set<D: Way>(guard: &mut SGTableForCpu<'_, '_, Self, D>, at: usize, from: &[u8]) -> Result {
        guard.copy_from_slice(at, from)
    }

    fn is(&self, expected: &[u8]) -> Result<bool> {
        check!(self.len() == expected.len());
        same(expected, |at, to| self.copy_to_slice(at, to))
    }
}

impl Piecewise for VVec<u16> {
    // C's vfree() sleeps.
    const ANYWHERE: bool = false;

    fn get<D: Way>(guard: &SGTableForCpu<'_, '_, Self, D>, at: usize, to: &mut [u8]) -> Result {
        let mut some = [0; 130];
        let (first, end) = words(at, to.len());
        let some = some.get_mut(..end - first).ok_or(ERANGE)?;
        D::get_words(guard, first, some)?;
        for (number, byte) in to.iter_mut().enumerate() {
            let at = at % 2 + number;
            *byte = some[at / 2].to_ne_bytes()[at % 2];
        }
        Ok(())
    }

    fn set<D: Way>(guard: &mut SGTableForCpu<'_, '_, Self, D>, at: usize, from: &[u8]) -> Result {
        let mut done = 0;
        while done < from.len() {
            let len = (from.len() - done).min(200);
            let mut some = [0; 130];
            let (first, end) = words(at + done, len);
            let some = some.get_mut(..end - first).ok_or(ERANGE)?;
            D::get_words(guard, first, some)?;
            for number in 0..len {
                let at = (at + done) % 2 + number;
                let mut word = some[at / 2].to_ne_bytes();
                word[at % 2] = from[done + number];
                some[at / 2] = u16::from_ne_bytes(word);
            }
            D::set_words(guard, first, some)?;
            done += len;
        }
        Ok(())
    }

    fn is(&self, expected: &[u8]) -> Result<bool> {
        check!(self.len() * 2 == expected.len());
        same(expected, |at, to| {
            for (number, byte) in to.iter_mut().enumerate() {
                let at = at + number;
                *byte = self[at / 2].to_ne_bytes()[at % 2];
            }
            Ok(())
        })
    }
}

impl<M: Piecewise, D: Way> Kind for Table<'_, M, D> {
    const READS: bool = <D as Way>::READS;
    const WRITES: bool = <D as Direction>::WRITES;
    const PUTS: bool = <D as Way>::READS;
    const ANYWHERE: bool = M::ANYWHERE;

    fn size(&self) -> usize {
        SGTable::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        let mut start = 0;
        for segment in self {
            let len = segment.dma_len() as usize;
            if at < start + len {
                let inside = at - start;
                return Ok((segment.dma_address() + inside as DmaAddress, len - inside));
            }
            start += len;
        }
        Err(ERANGE)
    }

    fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool> {
        let (guard, at) = if whole {
            (self.for_cpu(), at)
        } else {
            let start = at - at % M::UNIT;
            let end = (at + expected.len()).next_multiple_of(M::UNIT);
            (self.for_cpu_range(start..end)?, at - start)
        };
        same(expected, |offset, to| M::get(&guard, at + offset, to))
    }

    fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result {
        let (mut guard, at) = if whole {
            (self.for_cpu(), at)
        } else {
            let start = at - at % M::UNIT;
            let end = (at + from.len()).next_multiple_of(M::UNIT);
            (self.for_cpu_range(start..end)?, at - start)
        };
        M::set(&mut guard, at, from)
    }

    fn finish(self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        let memory = unsafe { self.unmap() };
        expected.map_or(Ok(true), |expected| memory.is(expected))
    }

    fn finish_quiesced(self, expected: Option<&[u8]>, proof: &Quiesced<'_>) -> Result<bool> {
        let memory = self.unmap_quiesced(proof)?;
        expected.map_or(Ok(true), |expected| memory.is(expected))
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        let size = self.size();
        let segments: usize = self.iter().map(|segment| segment.dma_len() as usize).sum();
        check!(segments == size);
        check!(self.for_cpu_range(wrong(size, random)).err() == Some(EINVAL));
        check!(M::UNIT == 1 || self.for_cpu_range(1..size).err() == Some(EINVAL));
        check!(M::UNIT == 1 || self.for_cpu_range(0..size - 1).err() == Some(EINVAL));
        check!(self.for_cpu().range() == (0..size));
        let (start, end) = random.part(size);
        if start % M::UNIT == 0 && end % M::UNIT == 0 {
            let guard = self.for_cpu_range(start..end)?;
            check!(guard.range() == (start..end));
            core::mem::forget(guard);
        }
        Ok(())
    }
}

impl Kind for PoolBox<Lists<'_>> {
    const READS: bool = false;
    const WRITES: bool = false;

    fn size(&self) -> usize {
        self.len() * 8
    }

    fn address(&self, _at: usize) -> Result<(DmaAddress, usize)> {
        Err(ENXIO)
    }

    fn has(&mut self, at: usize, expected: &[u8], _whole: bool) -> Result<bool> {
        same(expected, |offset, to| {
            for (number, byte) in to.iter_mut().enumerate() {
                let at = at + offset + number;
                *byte = self[at / 8].to_ne_bytes()[at % 8];
            }
            Ok(())
        })
    }

    fn put(&mut self, at: usize, from: &[u8], _whole: bool) -> Result {
        for (number, byte) in from.iter().enumerate() {
            let at = at + number;
            let mut word = self[at / 8].to_ne_bytes();
            word[at % 8] = *byte;
            self[at / 8] = u64::from_ne_bytes(word);
        }
        Ok(())
    }

    fn parks(&self, _context: Context) -> bool {
        false
    }

    fn finish(mut self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        expected.map_or(Ok(true), |expected| self.has(0, expected, true))
    }
}

impl Kind for PoolCoherent<Lists<'_>> {
    const READS: bool = true;
    const WRITES: bool = true;

    fn size(&self) -> usize {
        PoolCoherent::size(self)
    }

    fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        let word = io_project!(self, [try: at / 8]).dma_address();
        check!(word - self.dma_address() == (at / 8 * 8) as u64);
        Ok((word + (at % 8) as DmaAddress, self.size() - at))
    }

    words!(u64, 8);

    fn parks(&self, context: Context) -> bool {
        !context.quiesced
    }

    fn finish(mut self, expected: Option<&[u8]>, _finished: &Finished) -> Result<bool> {
        let good = expected.map_or(Ok(true), |expected| self.has(0, expected, true))?;
        // SAFETY: As `Finished` shows, the run bit was clear since the device was told of it.
        unsafe { self.free() };
        Ok(good)
    }

    fn edges(&mut self, random: &mut Random) -> Result {
        let index = beyond(self.len(), random);
        let read = || -> Result<u64> { Ok(io_read!(self, [try: index])) };
        check!(read() == Err(ERANGE));
        Ok(())
    }
}

/// Has `$do` done with the memory, whatever it is.
macro_rules! each {
    ($memory:expr, $one:ident => $do:expr) => {{
        use $crate::memory::Memory::*;
        match $memory {
            Bytes($one) => $do,
            Words($one) => $do,
            Value($one) => $do,
            Own($one) => $do,
            Handle($one) => $do,
            AllocatedTo($one) => $do,
            AllocatedFrom($one) => $do,
            AllocatedBoth($one) => $do,
            VectorTo($one) => $do,
            VectorFrom($one) => $do,
            VectorBoth($one) => $do,
            BoxTo($one) => $do,
            BoxFrom($one) => $do,
            BoxBoth($one) => $do,
            PageTo($one) => $do,
            PageFrom($one) => $do,
            PageBoth($one) => $do,
            PagesTo($one) => $do,
            PagesFrom($one) => $do,
            PagesBoth($one) => $do,
            VirtualTo($one) => $do,
            VirtualFrom($one) => $do,
            VirtualBoth($one) => $do,
            OwnObject($one) => $do,
            Object($one) => $do,
        }
    }};
}
pub(crate) use each;

pub(crate) enum Memory<'bound> {
    Bytes(Coherent<'bound, [u8]>),
    Words(Coherent<'bound, [u32]>),
    Value(Coherent<'bound, Record>),
    Own(CoherentBox<'bound, [u8]>),
    Handle(CoherentHandle<'bound>),
    AllocatedTo(NonCoherent<'bound, [u8], ToDevice>),
    AllocatedFrom(NonCoherent<'bound, [u8], FromDevice>),
    AllocatedBoth(NonCoherent<'bound, [u8], Bidirectional>),
    VectorTo(Mapping<'bound, KVec<u8>, ToDevice>),
    VectorFrom(Mapping<'bound, KVec<u8>, FromDevice>),
    VectorBoth(Mapping<'bound, KVec<u8>, Bidirectional>),
    BoxTo(Mapping<'bound, KBox<[u8; 192]>, ToDevice>),
    BoxFrom(Mapping<'bound, KBox<[u8; 192]>, FromDevice>),
    BoxBoth(Mapping<'bound, KBox<[u8; 192]>, Bidirectional>),
    PageTo(Mapping<'bound, PageBox, ToDevice>),
    PageFrom(Mapping<'bound, PageBox, FromDevice>),
    PageBoth(Mapping<'bound, PageBox, Bidirectional>),
    PagesTo(Table<'bound, Pages, ToDevice>),
    PagesFrom(Table<'bound, Pages, FromDevice>),
    PagesBoth(Table<'bound, Pages, Bidirectional>),
    VirtualTo(Table<'bound, VVec<u16>, ToDevice>),
    VirtualFrom(Table<'bound, VVec<u16>, FromDevice>),
    VirtualBoth(Table<'bound, VVec<u16>, Bidirectional>),
    OwnObject(PoolBox<Lists<'bound>>),
    Object(PoolCoherent<Lists<'bound>>),
}

fn reads<K: Kind>(_: &K) -> bool {
    K::READS
}

fn writes<K: Kind>(_: &K) -> bool {
    K::WRITES
}

fn looks<K: Kind>(_: &K) -> bool {
    K::LOOKS
}

fn puts<K: Kind>(_: &K) -> bool {
    K::PUTS
}

fn anywhere<K: Kind>(_: &K) -> bool {
    K::ANYWHERE
}

impl Memory<'_> {
    pub(crate) fn reads(&self) -> bool {
        each!(self, memory => reads(memory))
    }

    pub(crate) fn writes(&self) -> bool {
        each!(self, memory => writes(memory))
    }

    pub(crate) fn looks(&self) -> bool {
        each!(self, memory => looks(memory))
    }

    pub(crate) fn puts(&self) -> bool {
        each!(self, memory => puts(memory))
    }

    pub(crate) fn anywhere(&self) -> bool {
        each!(self, memory => anywhere(memory))
    }

    pub(crate) fn size(&self) -> usize {
        each!(self, memory => Kind::size(memory))
    }

    pub(crate) fn address(&self, at: usize) -> Result<(DmaAddress, usize)> {
        each!(self, memory => Kind::address(memory, at))
    }

    pub(crate) fn has(&mut self, at: usize, expected: &[u8], whole: bool) -> Result<bool> {
        each!(self, memory => memory.has(at, expected, whole))
    }

    pub(crate) fn put(&mut self, at: usize, from: &[u8], whole: bool) -> Result {
        each!(self, memory => memory.put(at, from, whole))
    }

    pub(crate) fn parks(&self, context: Context) -> bool {
        each!(self, memory => memory.parks(context))
    }

    pub(crate) fn parks_finished(&self, context: Context) -> bool {
        each!(self, memory => memory.parks_finished(context))
    }

    pub(crate) fn finish(self, expected: Option<&[u8]>, finished: &Finished) -> Result<bool> {
        each!(self, memory => memory.finish(expected, finished))
    }

    pub(crate) fn finish_quiesced(
        self,
        expected: Option<&[u8]>,
        proof: &Quiesced<'_>,
    ) -> Result<bool> {
        each!(self, memory => memory.finish_quiesced(expected, proof))
    }

    pub(crate) fn edges(&mut self, random: &mut Random) -> Result {
        each!(self, memory => memory.edges(random))
    }

    /// Whether it is both read and written by device and CPU, by way of the same copy.
    pub(crate) fn is_both(&self) -> bool {
        matches!(
            self,
            Memory::AllocatedBoth(_)
                | Memory::VectorBoth(_)
                | Memory::BoxBoth(_)
                | Memory::PageBoth(_)
                | Memory::PagesBoth(_)
                | Memory::VirtualBoth(_)
        )
    }

    /// Whether it is an object of a pool.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Memory::OwnObject(_) | Memory::Object(_))
    }

    /// Whether all of it has an address of its own, in one piece: not so of tables.
    pub(crate) fn in_one_piece(&self) -> bool {
        !matches!(
            self,
            Memory::PagesTo(_)
                | Memory::PagesFrom(_)
                | Memory::PagesBoth(_)
                | Memory::VirtualTo(_)
                | Memory::VirtualFrom(_)
                | Memory::VirtualBoth(_)
        )
    }
}
