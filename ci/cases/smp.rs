// SPDX-License-Identifier: GPL-2.0

//! Use from several CPUs at once.

use crate::{
    coherent::{bytes, pattern},
    several::run,
    Data, Test,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    device::Start,
    dma::{Coherent, CoherentBox, CoherentHandle},
    io::Io,
    io_project, io_read, io_write, pci,
    prelude::*,
    sync::barrier::{dma_mb, Full},
    time::{delay::fsleep, Delta},
};

const WORKERS: usize = 4;

/// Runs `work` on several workers at once, and returns when all are done.
fn at_once(work: impl Fn(usize) -> Result + Sync) -> Result {
    let (begun, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    run(WORKERS, &|number| {
        begun.fetch_add(1, Ordering::SeqCst);
        // All of them, or almost, at the same time.
        for _ in 0..100 {
            if begun.load(Ordering::SeqCst) == WORKERS {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        if work(number).is_err() {
            failed.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    check!(begun.into_inner() == WORKERS);
    check!(failed.into_inner() == 0);
    Ok(())
}

/// Each worker has words of its own among the others'.
pub(crate) fn words(test: &mut Test<'_, '_>) -> Result {
    let memory = Coherent::<[u8]>::zeroed_slice(test.dma()?, 64 * WORKERS, GFP_KERNEL)?;
    at_once(|number| {
        for round in 0..2000_usize {
            for at in 0..64 {
                let index = WORKERS * at + number;
                io_write!(memory, [try: index], (round + index) as u8);
            }
            for at in 0..64 {
                let index = WORKERS * at + number;
                check!(io_read!(memory, [try: index]) == (round + index) as u8);
            }
        }
        Ok(())
    })
}

/// Nor do copies touch what is beside them, where that is a word apart.
pub(crate) fn copies(test: &mut Test<'_, '_>) -> Result {
    let memory = bytes(test.dma()?, 256 * WORKERS)?;
    at_once(|number| {
        let mut found = [0; 256];
        for round in 0..500 {
            let expected = pattern(256, round + number)?;
            let own = io_project!(memory, [try: 256 * number..256 * (number + 1)]);
            own.copy_from_slice(&expected);
            own.copy_to_slice(&mut found);
            check!(found[..] == expected[..]);
        }
        Ok(())
    })
}

/// The right to allocate can be used by all at once.
pub(crate) fn allocations(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    at_once(|number| {
        for round in 0..200 {
            let len = 1 + 997 * ((round * 7 + number) % 64);
            let mut memory = CoherentBox::<[u8]>::zeroed_slice(dma, len, GFP_KERNEL)?;
            check!(memory.iter().all(|byte| *byte == 0));
            for byte in &mut *memory {
                *byte = number as u8 + 1;
            }
            let handle = CoherentHandle::alloc(dma, len, GFP_ATOMIC)?;
            check!(handle.dma_address() != memory.share().dma_address());
        }
        Ok(())
    })
}

pub(crate) fn device(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 4096)?);
    Ok(())
}

/// All see what the device stores, while one of them makes it do so, and bytes are never torn.
pub(crate) fn device_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let memory = data.bytes()?;
    let edu = data.edu()?;
    let all = KVec::from_elem(0xff_u8, 4096, GFP_KERNEL)?;
    memory.copy_from_slice(&all);
    edu.fetch(memory.dma_address(), 0, 4096)?;
    memory.copy_from_slice(&KVec::from_elem(0, 4096, GFP_KERNEL)?);
    dma_mb(Full);
    at_once(|number| {
        if number == 0 {
            return edu.store(0, memory.dma_address(), 4096);
        }
        for _ in 0..500 {
            let mut found = [0; 64];
            io_project!(memory, [try: 64 * number..64 * (number + 1)]).copy_to_slice(&mut found);
            check!(found.iter().all(|byte| *byte == 0 || *byte == 0xff));
            if found == [0xff; 64] {
                return Ok(());
            }
            fsleep(Delta::from_millis(10));
        }
        Err(ETIMEDOUT)
    })
}
