// SPDX-License-Identifier: GPL-2.0

//! Accesses to shared memory: volatile, checked, and of the right size.

use crate::{
    coherent::{bytes, pattern, Record},
    Data, Test,
};
use kernel::{
    byteorder::{Be16, Be32, Be64, Le16, Le32, Le64},
    device::Start,
    dma::Coherent,
    dma_struct,
    io::Io,
    io_project, io_read, io_write, pci,
    prelude::*,
    sync::barrier::{dma_mb, Full, Read, Write},
};

dma_struct! {
    pub(crate) struct Flags {
        before: u32,
        pub(crate) done: u32,
    }
}

dma_struct! {
    struct Words {
        a: u64,
        b: i64,
        c: usize,
        d: isize,
        e: u32,
        f: i32,
        g: u16,
        h: i16,
        i: u8,
        j: i8,
        padding: [u8; 2],
    }
}

dma_struct! {
    struct Nested {
        head: u64,
        records: [[Record; 2]; 3],
        tail: [u8; 8],
    }
}

/// Each type, with values that show the sign and the order of the bytes.
pub(crate) fn words(test: &mut Test<'_, '_>) -> Result {
    let memory = Coherent::<Words>::zeroed(test.dma()?, GFP_KERNEL)?;
    macro_rules! both {
        ($($field:ident: $ty:ty),*) => {
            $(for value in [<$ty>::MIN, <$ty>::MAX, 0, 1, 0x7e_u8 as $ty] {
                memory.copy_write(Words {
                    a: !0, b: !0, c: !0, d: !0, e: !0, f: !0, g: !0, h: !0, i: !0, j: !0, padding: [0xff; 2],
                });
                io_write!(memory, .$field, value);
                check!(io_read!(memory, .$field) == value);
                check!(memory.copy_read().$field == value);
                // and nothing else
                io_write!(memory, .$field, !0);
                let all = memory.copy_read();
                check!(all.a == !0 && all.b == !0 && all.c == !0 && all.d == !0 && all.e == !0);
                check!(all.f == !0 && all.g == !0 && all.h == !0 && all.i == !0 && all.j == !0);
                check!(all.padding == [0xff; 2]);
            })*
        };
    }
    both!(a: u64, b: i64, c: usize, d: isize, e: u32, f: i32, g: u16, h: i16, i: u8, j: i8);
    Ok(())
}

dma_struct! {
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    struct Ordered {
        a: Le64,
        b: Be64,
        c: Le32,
        d: Be32,
        e: Le16,
        f: Be16,
        padding: [u8; 4],
    }
}

/// Integers of a fixed byte order are where a device looks for them, and come back as they were.
pub(crate) fn byte_order(test: &mut Test<'_, '_>) -> Result {
    let memory = Coherent::<Ordered>::zeroed(test.dma()?, GFP_KERNEL)?;
    io_write!(memory, .a, Le64::from_cpu(0x0123_4567_89ab_cdef));
    io_write!(memory, .b, Be64::from_cpu(0x0123_4567_89ab_cdef));
    io_write!(memory, .c, Le32::from_cpu(0x0123_4567));
    io_write!(memory, .d, Be32::from(0x0123_4567));
    io_write!(memory, .e, Le16::from(0x0123));
    io_write!(memory, .f, Be16::from_cpu(0x0123));
    let bytes = memory.try_cast::<[u8; 32]>()?.copy_read();
    check!(bytes[..8] == [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
    check!(bytes[8..16] == [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    check!(bytes[16..24] == [0x67, 0x45, 0x23, 0x01, 0x01, 0x23, 0x45, 0x67]);
    check!(bytes[24..] == [0x23, 0x01, 0x01, 0x23, 0, 0, 0, 0]);
    check!(io_read!(memory, .a).to_cpu() == 0x0123_4567_89ab_cdef);
    check!(io_read!(memory, .b).to_cpu() == 0x0123_4567_89ab_cdef);
    check!(u32::from(io_read!(memory, .c)) == 0x0123_4567);
    check!(io_read!(memory, .d).to_cpu() == 0x0123_4567);
    check!(io_read!(memory, .e).to_cpu() == 0x0123);
    check!(u16::from(io_read!(memory, .f)) == 0x0123);
    check!(memory.copy_read().d == Be32::from_cpu(0x0123_4567));
    check!(memory.copy_read() != Ordered::default());
    Ok(())
}

/// Fields within arrays within fields.
pub(crate) fn fields(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    // No: `u32` before `u64` would be padding.
    const _: () = assert!(core::mem::size_of::<Record>() == 24);
    let memory = Coherent::<[[Record; 2]; 3]>::zeroed(dma, GFP_KERNEL);
    check!(memory.is_ok());
    let memory = Coherent::<Rows>::zeroed(dma, GFP_KERNEL)?;
    for row in 0..3 {
        for column in 0..2 {
            io_write!(memory, .rows[try: row][try: column].word, (10 * row + column) as u32);
            io_write!(memory, .rows[try: row][try: column].tail[build: 3], row as u16);
        }
    }
    check!(io_read!(memory, .rows[build: 2][build: 1].word) == 21);
    check!(io_read!(memory, .rows[build: 0][build: 1].word) == 1);
    check!(io_read!(memory, .rows[build: 2][build: 0].tail[build: 3]) == 2);
    check!(io_read!(memory, .rows[build: 2][build: 0].tail[build: 2]) == 0);
    check!(io_read!(memory, .end) == 0);
    Ok(())
}

dma_struct! {
    struct Rows {
        rows: [[Record; 2]; 3],
        end: u64,
    }
}

/// At the end and past it there is an error, and nothing is written.
pub(crate) fn indices(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let rows = Coherent::<Rows>::zeroed(dma, GFP_KERNEL)?;
    let slice = Coherent::<[u32]>::zeroed_slice(dma, 1024, GFP_KERNEL)?;
    let read_row = |row: usize, column: usize| -> Result<u32> {
        Ok(io_read!(rows, .rows[try: row][try: column].word))
    };
    let write_row = |row: usize, column: usize| -> Result {
        io_write!(rows, .rows[try: row][try: column].word, !0);
        Ok(())
    };
    let read = |index: usize| -> Result<u32> { Ok(io_read!(slice, [try: index])) };
    let write = |index: usize, value: u32| -> Result {
        io_write!(slice, [try: index], value);
        Ok(())
    };
    for (row, column) in [
        (3, 0),
        (0, 2),
        (2, 2),
        (3, 2),
        (0, 3),
        (usize::MAX, 0),
        (0, usize::MAX),
    ] {
        check!(read_row(row, column) == Err(ERANGE));
        check!(write_row(row, column) == Err(ERANGE));
    }
    check!(io_read!(rows, .end) == 0);
    check!(read_row(2, 1) == Ok(0));
    write(1023, 7)?;
    check!(read(1023) == Ok(7));
    for index in [
        1024,
        1025,
        1 << 30,
        1 << 62,
        (1 << 62) + 1,
        isize::MAX as usize,
        usize::MAX,
    ] {
        check!(read(index) == Err(ERANGE));
        check!(write(index, 9) == Err(ERANGE));
    }
    check!(read(0) == Ok(0));
    check!(read(1) == Ok(0));
    Ok(())
}

/// What stands in the brackets, and the value, happens once, and nothing if it fails.
pub(crate) fn index_once(test: &mut Test<'_, '_>) -> Result {
    let slice = Coherent::<[u32]>::zeroed_slice(test.dma()?, 4, GFP_KERNEL)?;
    let mut at = 0;
    let mut next = || {
        at += 1;
        at - 1
    };
    for value in 0..4 {
        io_write!(slice, [try: next()], 100 + value);
    }
    at = 0;
    let mut next = || {
        at += 1;
        at - 1
    };
    for value in 0..4 {
        check!(io_read!(slice, [try: next()]) == 100 + value);
    }
    let mut evaluated = 0;
    let mut write = |index: usize| -> Result {
        io_write!(slice, [try: index], {
            evaluated += 1;
            evaluated
        });
        Ok(())
    };
    write(0)?;
    check!(write(4) == Err(ERANGE));
    check!(evaluated >= 1 && evaluated <= 2);
    check!(io_read!(slice, [try: 0]) == 1);
    Ok(())
}

/// Copies of all alignments and small lengths, and of some large ones, are to the byte.
pub(crate) fn copies(test: &mut Test<'_, '_>) -> Result {
    let memory = bytes(test.dma()?, 256)?;
    let fill = KVec::from_elem(0xee_u8, 256, GFP_KERNEL)?;
    let from = pattern(256, 1)?;
    let mut found = KVec::from_elem(0, 256, GFP_KERNEL)?;
    for at in 0..18 {
        for len in Iterator::chain(0..40, [63, 64, 65, 200, 238]) {
            for skew in [0, 1, 3, 4] {
                memory.copy_from_slice(&fill);
                let from = &from[skew..][..len];
                io_project!(memory, [try: at..at + len]).copy_from_slice(from);
                memory.copy_to_slice(&mut found);
                check!(found[..at].iter().all(|byte| *byte == 0xee));
                check!(found[at..at + len] == *from);
                check!(found[at + len..].iter().all(|byte| *byte == 0xee));
                let mut back = [0xdd; 256];
                io_project!(memory, [try: at..]
                    [try: ..len])
                .copy_to_slice(&mut back[skew..][..len]);
                check!(back[skew..][..len] == *from);
                check!(back[..skew].iter().all(|byte| *byte == 0xdd));
                check!(back[skew + len..].iter().all(|byte| *byte == 0xdd));
            }
        }
    }
    Ok(())
}

/// What is not all there can't be had, nor copied.
pub(crate) fn copies_range(test: &mut Test<'_, '_>) -> Result {
    let memory = Coherent::<[u16]>::zeroed_slice(test.dma()?, 100, GFP_KERNEL)?;
    let (ones, mut to) = ([1; 100], [2; 101]);
    let len = |start: usize, end: usize| -> Result<usize> {
        Ok(io_project!(memory, [try: start..end]).len())
    };
    for (start, end) in [
        (100, 101),
        (99, 101),
        (0, 101),
        (1, 101),
        (101, 101),
        (101, 102),
        (50, 49),
        (usize::MAX, usize::MAX),
        (usize::MAX, 0),
        (usize::MAX - 1, 1),
        (0, usize::MAX),
        (usize::MAX / 2 + 1, usize::MAX / 2 + 1),
        (usize::MAX / 2 + 1, usize::MAX / 2 + 3),
        (99, isize::MAX as usize),
    ] {
        check!(len(start, end) == Err(ERANGE));
    }
    for start in [101, usize::MAX] {
        let rest = || -> Result<usize> { Ok(io_project!(memory, [try: start..]).len()) };
        check!(rest() == Err(ERANGE));
        let first = || -> Result<usize> { Ok(io_project!(memory, [try: ..start]).len()) };
        check!(first() == Err(ERANGE));
    }
    check!(len(100, 100) == Ok(0) && len(0, 100) == Ok(100));
    io_project!(memory, [try: 100..]).copy_from_slice(&[]);
    io_project!(memory, [try: ..0]).copy_to_slice(&mut []);
    memory.copy_to_slice(&mut to[..100]);
    check!(to[..100] == [0; 100] && to[100] == 2);
    memory.copy_from_slice(&ones);
    io_project!(memory, [try: 99..]).copy_to_slice(&mut to[100..]);
    check!(to[100] == 1);
    // A range within a range.
    let part = io_project!(memory, [try: 10..20]);
    let past = || -> Result<u16> { Ok(io_read!(part, [try: 10])) };
    check!(past() == Err(ERANGE));
    io_write!(part, [try: 9], 7);
    check!(io_read!(memory, [try: 19]) == 7);
    // The start is aligned for what it is taken for, and there is enough of it.
    check!(part.try_cast::<[u8; 20]>()?.size() == 20);
    check!(part.try_cast::<[u8; 21]>().err() == Some(EINVAL));
    check!(io_project!(memory, [try: 1..]).try_cast::<u32>().err() == Some(EINVAL));
    Ok(())
}

/// Values as a whole.
pub(crate) fn values(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let memory = Coherent::<Nested>::zeroed(dma, GFP_KERNEL)?;
    check!(memory.size() == core::mem::size_of::<Nested>());
    let mut value = memory.copy_read();
    check!(value.head == 0 && value.tail == [0; 8]);
    value.tail = [1, 2, 3, 4, 5, 6, 7, 8];
    value.records[2][1].tail[3] = 0xabcd;
    memory.copy_write(value);
    check!(io_read!(memory, .tail[build: 3]) == 4);
    check!(io_read!(memory, .records[build: 2][build: 1].tail[build: 3]) == 0xabcd);
    io_write!(memory, .head, 0x55);
    check!(memory.copy_read().head == 0x55);
    let odd = Coherent::<[u8; 7]>::zeroed(dma, GFP_KERNEL)?;
    odd.copy_write([1, 2, 3, 4, 5, 6, 7]);
    check!(odd.copy_read() == [1, 2, 3, 4, 5, 6, 7]);
    Ok(())
}

pub(crate) fn barriers(test: &mut Test<'_, '_>) -> Result {
    let slice = Coherent::<[u32]>::zeroed_slice(test.dma()?, 2, GFP_KERNEL)?;
    for value in 0..1000 {
        io_write!(slice, [try: 0], value);
        dma_mb(Write);
        io_write!(slice, [try: 1], value);
        dma_mb(Full);
        check!(io_read!(slice, [try: 1]) == value);
        dma_mb(Read);
        check!(io_read!(slice, [try: 0]) == value);
    }
    Ok(())
}

pub(crate) fn volatile(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    let flags = Coherent::<Flags>::zeroed(dma, GFP_KERNEL)?;
    io_write!(flags, .before, 0x600d);
    test.kept.flags = Some(flags);
    Ok(())
}

/// Two loops, each by itself, so that the compiler can make the best of it.
#[inline(never)]
fn wait_field(flags: &Coherent<'_, Flags>) -> u32 {
    for _ in 0..LONG {
        let done = io_read!(flags, .done);
        if done != 0 {
            return done;
        }
    }
    0
}

#[inline(never)]
fn wait_value(flags: &Coherent<'_, Flags>) -> u32 {
    for _ in 0..LONG {
        let done = flags.copy_read().done;
        if done != 0 {
            return done;
        }
    }
    0
}

const LONG: u32 = 2_000_000_000;

/// Waits for what the device writes in a loop that calls nothing. Were the read an ordinary one, the
/// compiler would do it once.
pub(crate) fn volatile_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let (edu, flags) = (data.edu()?, data.kept.flags.as_ref().ok_or(EINVAL)?);
    edu.fetch(flags.dma_address(), 0, 4)?;
    let store = || -> Result {
        io_write!(flags, .done, 0);
        dma_mb(Full);
        edu.begin_store(0, io_project!(flags, .done).dma_address(), 4)
    };
    store()?;
    check!(wait_field(flags) == 0x600d);
    edu.wait()?;
    store()?;
    check!(wait_value(flags) == 0x600d);
    edu.wait()?;
    Ok(())
}
