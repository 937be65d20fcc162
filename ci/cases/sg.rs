// SPDX-License-Identifier: GPL-2.0

//! Scatter-gather tables.

use crate::{coherent::pattern, edu::Edu, streaming::nothing, Data, Test};
use core::mem::forget;
use kernel::{
    alloc::flags,
    device::Start,
    dma::{Bidirectional, Direction, DmaMask, FromDevice, ToDevice},
    io::Io,
    io_project,
    page::PAGE_SIZE as PAGE,
    pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGMemory, SGTable},
};

/// Memory that is mapped in one direction.
type Table<'bound, M, D> = SGTable<Owned<'bound, M, D>>;

/// Copies a table to another, through the device's memory, as far as both go.
fn copy<M: SGMemory, N: SGMemory>(
    edu: &Edu<'_>,
    from: &Table<'_, M, impl Direction>,
    to: &Table<'_, N, impl Direction>,
) -> Result {
    let (mut sources, mut targets) = (from.iter(), to.iter());
    let (mut source, mut target) = ((0, 0), (0, 0));
    loop {
        if source.1 == 0 {
            match sources.next() {
                Some(segment) => source = (segment.dma_address(), segment.dma_len()),
                None => return Ok(()),
            }
        }
        if target.1 == 0 {
            match targets.next() {
                Some(segment) => target = (segment.dma_address(), segment.dma_len()),
                None => return Ok(()),
            }
        }
        let len = source.1.min(target.1).min(4096);
        edu.fetch(source.0, 0, len as usize)?;
        edu.store(0, target.0, len as usize)?;
        source = (source.0 + u64::from(len), source.1 - len);
        target = (target.0 + u64::from(len), target.1 - len);
    }
}

fn vector(len: usize, seed: usize) -> Result<VVec<u8>> {
    let mut vector = VVec::new();
    vector.extend_from_slice(&pattern(len, seed)?, GFP_KERNEL)?;
    Ok(vector)
}

/// The number of bytes that all segments have.
fn total<M: SGMemory>(table: &Table<'_, M, impl Direction>) -> usize {
    table.iter().map(|segment| segment.dma_len() as usize).sum()
}

pub(crate) fn wrong(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    if nothing(dma) {
        return Ok(());
    }
    let none = Table::<_, ToDevice>::new(dma, Pages::zeroed(0, GFP_KERNEL)?, GFP_KERNEL).err();
    check!(none.ok_or(ENOTTY)?.error() == EINVAL);
    let none = Table::<_, ToDevice>::new(dma, VVec::<u32>::new(), GFP_KERNEL).err();
    check!(none.ok_or(ENOTTY)?.error() == EINVAL);
    for flags in [GFP_KERNEL | flags::__GFP_HIGHMEM, !GFP_KERNEL] {
        let failed = Table::<_, ToDevice>::new(dma, vector(9, 1)?, flags).err();
        let failed = failed.ok_or(ENOTTY)?;
        check!(failed.error() == EINVAL);
        check!(failed.into_buffer()[..] == pattern(9, 1)?[..]);
    }
    for count in [(1 << 30) / PAGE + 1, usize::MAX / PAGE, usize::MAX] {
        check!(Pages::zeroed(count, GFP_KERNEL).err() == Some(EINVAL));
    }
    check!(Pages::zeroed(1, !GFP_KERNEL).err() == Some(EINVAL));
    let mut pages = Pages::zeroed(2, GFP_KERNEL)?;
    let mut bytes = [0xff; 2];
    for offset in [2 * PAGE - 1, 2 * PAGE, usize::MAX] {
        check!(pages.copy_to_slice(offset, &mut bytes) == Err(EINVAL));
        check!(bytes == [0xff; 2]);
        check!(pages.copy_from_slice(offset, &bytes) == Err(EINVAL));
    }
    // Nothing was copied, not even what there is space for.
    pages.copy_to_slice(2 * PAGE - 2, &mut bytes)?;
    check!(bytes == [0; 2]);
    Ok(())
}

pub(crate) fn lengths(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = (data.dma()?, data.edu()?);
    if nothing(dma) {
        return Ok(());
    }
    for len in [1, PAGE - 1, PAGE, PAGE + 1, 33 * PAGE, 200 * PAGE + 1] {
        let table = Table::<_, FromDevice>::new(dma, vector(len, 4)?, GFP_KERNEL)?;
        check!(table.size() == len && total(&table) == len);
        check!((&table).into_iter().all(|segment| segment.dma_len() != 0));
        check!(edu.unmap_table(table)?[..] == pattern(len, 4)?[..]);
    }
    let table = Table::<_, ToDevice>::new(dma, Pages::zeroed(300, GFP_KERNEL)?, GFP_KERNEL)?;
    check!(total(&table) == 300 * PAGE);
    check!(edu.unmap_table(table)?.into_vec().len() == 300);
    Ok(())
}

/// Segments keep the limits that were set before; what is too little is an error.
pub(crate) fn limits(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    setup.set_max_seg_size(1536)?;
    setup.set_seg_boundary(2048)?;
    let dma = setup.finish()?;
    if nothing(dma) {
        return Ok(());
    }
    let table = Table::<_, ToDevice>::new(dma, vector(5 * PAGE + 1, 4)?, GFP_KERNEL)?;
    check!(total(&table) == 5 * PAGE + 1);
    for segment in &table {
        let (first, len) = (segment.dma_address(), segment.dma_len());
        check!(len <= 1536);
        check!(first / 2048 == (first + u64::from(len) - 1) / 2048);
    }
    Ok(())
}

pub(crate) fn limits_too_small(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    setup.set_max_seg_size(511)?;
    let dma = setup.finish()?;
    if nothing(dma) {
        return Ok(());
    }
    let failed = Table::<_, ToDevice>::new(dma, vector(9, 1)?, GFP_KERNEL).err();
    check!(failed.ok_or(ENOTTY)?.error() == EINVAL);
    Ok(())
}

/// Pages are zeroes, whoever had them before.
pub(crate) fn cleared(_test: &mut Test<'_, '_>) -> Result {
    let dirt = KVec::from_elem(0xff, 64 * PAGE, GFP_KERNEL)?;
    let mut found = KVec::from_elem(0xff, 64 * PAGE, GFP_KERNEL)?;
    for _ in 0..3 {
        let mut pages = Pages::zeroed(64, GFP_KERNEL)?;
        pages.copy_to_slice(0, &mut found)?;
        check!(found.iter().all(|byte| *byte == 0));
        pages.copy_from_slice(0, &dirt)?;
        let pages = Pages::from(pages.into_vec());
        pages.copy_to_slice(0, &mut found)?;
        check!(found.iter().all(|byte| *byte == 0));
        let mut pages = pages;
        pages.copy_from_slice(0, &dirt)?;
    }
    Ok(())
}

pub(crate) fn moves(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let len = 2 * PAGE + 100;
    let source = Table::<_, ToDevice>::new(dma, vector(len, 6)?, GFP_KERNEL)?;
    let mut target = Pages::zeroed(3, GFP_KERNEL)?;
    target.copy_from_slice(len, &[0xee])?;
    let target = Table::<_, FromDevice>::new(dma, target, GFP_KERNEL)?;
    copy(edu, &source, &target)?;
    let target = edu.unmap_table(target)?;
    let mut found = KVec::from_elem(0, len + 1, GFP_KERNEL)?;
    target.copy_to_slice(0, &mut found)?;
    check!(found[..len] == pattern(len, 6)?[..]);
    check!(found[len] == 0xee);
    check!(edu.unmap_table(source)?[..] == pattern(len, 6)?[..]);
    Ok(())
}

/// Mapped once, and used again; a guard that is leaked gives nothing away.
pub(crate) fn again(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let pages = Pages::zeroed(1, GFP_KERNEL)?;
    let mut source = Table::<_, Bidirectional>::new(dma, pages, GFP_KERNEL)?;
    let mut target = Table::<_, FromDevice>::new(dma, vector(PAGE, 1)?, GFP_KERNEL)?;
    for seed in 2..4 {
        let expected = pattern(PAGE, seed)?;
        source.for_cpu().copy_from_slice(0, &expected)?;
        copy(edu, &source, &target)?;
        let mut found = KVec::from_elem(0, PAGE, GFP_KERNEL)?;
        target.for_cpu().copy_to_slice(&mut found);
        check!(found[..] == expected[..]);
        forget(target.for_cpu());
    }
    Ok(())
}

/// Memory is freed after the mapping has ended, and once.
pub(crate) fn dropped(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let source = Table::<_, ToDevice>::new(dma, vector(PAGE, 1)?, GFP_KERNEL)?;
    let pages = Pages::zeroed(1, GFP_KERNEL)?;
    let target = Table::<_, FromDevice>::new(dma, pages, GFP_KERNEL)?;
    copy(edu, &source, &target)?;
    edu.unmap_table(source)?;
    edu.unmap_table(target)?;
    for len in [1, 64] {
        drop(Pages::zeroed(len, GFP_KERNEL)?);
        drop(vector(len * PAGE, 0)?);
    }
    Ok(())
}

/// A part of a table is synced, and the guard has no more than that.
pub(crate) fn ranges(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let mut words = VVec::new();
    for _ in 0..3 * PAGE / 4 {
        words.push(0u32, GFP_KERNEL)?;
    }
    let mut words = Table::<_, Bidirectional>::new(dma, words, GFP_KERNEL)?;
    let mut pages = Table::<_, Bidirectional>::new(dma, Pages::zeroed(3, GFP_KERNEL)?, GFP_KERNEL)?;
    for (start, end) in [
        (0, 0),
        (4, 0),
        (3 * PAGE, 3 * PAGE),
        (0, 3 * PAGE + 4),
        (3 * PAGE, 3 * PAGE + 4),
        (4, usize::MAX - 3),
        (usize::MAX - 7, usize::MAX - 3),
    ] {
        check!(words.for_cpu_range(start..end).err() == Some(EINVAL));
        check!(pages.for_cpu_range(start..end).err() == Some(EINVAL));
    }
    // An element is not cut.
    for (start, end) in [(0, 3), (1, 4), (2, 6), (PAGE + 3, PAGE + 4)] {
        check!(words.for_cpu_range(start..end).err() == Some(EINVAL));
        check!(pages.for_cpu_range(start..end).is_ok());
    }

    // Across the end of a page.
    let expected = pattern(128, 9)?;
    pages
        .for_cpu_range(PAGE - 64..PAGE + 64)?
        .copy_from_slice(0, &expected)?;
    {
        let mut part = pages.for_cpu_range(PAGE - 64..PAGE + 64)?;
        let mut found = [0; 2];
        for offset in [127, 128, usize::MAX] {
            check!(part.copy_to_slice(offset, &mut found) == Err(EINVAL));
            check!(part.copy_from_slice(offset, &found) == Err(EINVAL));
        }
        part.copy_to_slice(126, &mut found)?;
        check!(found == expected[126..]);
    }
    copy(edu, &pages, &words)?;
    {
        let part = words.for_cpu_range(PAGE - 64..PAGE + 64)?;
        check!(part.len() == 32);
        let mut found = KVec::from_elem(0, 128, GFP_KERNEL)?;
        for (at, bytes) in found.chunks_mut(4).enumerate() {
            bytes.copy_from_slice(&kernel::io_read!(&part, [try: at]).to_ne_bytes());
        }
        check!(found[..] == expected[..]);
        let past = || -> Result<usize> { Ok(io_project!(&part, [try: 30..33]).len()) };
        check!(past() == Err(ERANGE));
        io_project!(&part, [try: 31..]).copy_from_slice(&[0x55aa_55aa]);
    }
    copy(edu, &words, &pages)?;
    let mut found = [0; 4];
    pages.for_cpu().copy_to_slice(PAGE + 60, &mut found)?;
    check!(u32::from_ne_bytes(found) == 0x55aa_55aa);
    Ok(())
}
