// SPDX-License-Identifier: GPL-2.0

//! What comes before memory: masks, and limits of segments.

use crate::{streaming::nothing, Test};
use kernel::{
    dma::{attrs, Attrs, Coherent, DmaMask, Mapping, ToDevice},
    io_project, new_spinlock,
    page::PAGE_SIZE as PAGE,
    prelude::*,
};

/// Whatever a binding before this one set, the masks have to be set again.
pub(crate) fn masks_missing(test: &mut Test<'_, '_>) -> Result {
    check!(test.setup()?.finish().err() == Some(EINVAL));
    Ok(())
}

pub(crate) fn masks_half(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask(DmaMask::new::<32>())?;
    check!(setup.finish().err() == Some(EINVAL));
    Ok(())
}

pub(crate) fn masks_other_half(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_coherent_mask(DmaMask::new::<32>())?;
    check!(setup.finish().err() == Some(EINVAL));
    Ok(())
}

pub(crate) fn masks(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask(DmaMask::new::<32>())?;
    setup.set_coherent_mask(DmaMask::new::<28>())?;
    if cfg!(CONFIG_PREEMPT_COUNT) {
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let guard = lock.lock();
        let refused = [
            setup.set_mask(DmaMask::new::<32>()),
            setup.set_coherent_mask(DmaMask::new::<28>()),
        ];
        drop(guard);
        check!(refused == [Err(EINVAL); 2]);
    }
    let dma = setup.finish()?;
    let memory = Coherent::<[u8]>::zeroed_slice(dma, 1, GFP_KERNEL)?;
    check!(memory.dma_address() <= DmaMask::new::<28>().value());
    check!(!dma.addressing_limited());
    Ok(())
}

/// Where no memory is, there is an error at the latest when it is asked for; with an IOMMU, then.
pub(crate) fn masks_too_small(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    for bits in 1..=12 {
        let mask = DmaMask::try_new(bits)?;
        check!(setup.set_mask(mask) == setup.set_coherent_mask(mask));
        match setup.set_mask_and_coherent(mask) {
            Ok(()) => (),
            Err(error) => check!(error == EIO),
        }
    }
    if setup.set_mask_and_coherent(DmaMask::new::<12>()) == Ok(()) {
        let dma = setup.finish()?;
        let attrs = attrs::DMA_ATTR_NO_WARN;
        // Not less than other cases ask for: the IOMMU's allocator takes what once was too
        // much, within 32 bits, to be too much until something is freed there.
        for _ in 0..2 {
            let memory = Coherent::<[u8]>::zeroed_slice_with_attrs(dma, 1 << 20, GFP_KERNEL, attrs);
            check!(memory.err() == Some(ENOMEM));
        }
        return Ok(());
    }
    // The failures did not count.
    check!(setup.finish().err() == Some(EINVAL));
    Ok(())
}

/// Another mask may be tried after one that does not do; the last counts.
pub(crate) fn masks_in_turn(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    let _ = setup.set_mask_and_coherent(DmaMask::new::<1>());
    setup.set_mask_and_coherent(DmaMask::new::<64>())?;
    setup.set_mask_and_coherent(DmaMask::new::<24>())?;
    let dma = setup.finish()?;
    check!(dma.addressing_limited());
    for _ in 0..8 {
        let memory = Coherent::<[u8]>::zeroed_slice(dma, 8192, GFP_KERNEL)?;
        check!(io_project!(memory, [try: 8191]).dma_address() < 1 << 24);
    }
    Ok(())
}

pub(crate) fn required(test: &mut Test<'_, '_>) -> Result {
    let mask = test.setup()?.required_mask();
    check!(mask >= 0xfff_ffff);
    check!(mask & mask.wrapping_add(1) == 0);
    Ok(())
}

pub(crate) fn segments_changed(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    setup.set_max_seg_size(u32::MAX)?;
    setup.set_max_seg_size(1)?;
    setup.set_seg_boundary(1 << 63)?;
    setup.set_seg_boundary(2)?;
    let dma = setup.finish()?;
    check!(dma.max_seg_size() == 1);
    check!(dma.seg_boundary_mask() == 1);
    Ok(())
}

/// Bounce buffers keep the boundary, and so does what is mapped, where it is copied.
pub(crate) fn segments_copied(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    setup.set_seg_boundary(1 << 15)?;
    let dma = setup.finish()?;
    let max = dma.max_mapping_size();
    check!(dma.opt_mapping_size() <= max);
    if max != usize::MAX && !nothing(dma) {
        // C does not reckon with the boundary before it comes to map.
        for len in [1 << 15, (1 << 15) + 1, max + 1] {
            let buffer = KVec::from_elem(0u8, len, GFP_KERNEL)?;
            let attrs = attrs::DMA_ATTR_NO_WARN;
            match Mapping::<_, ToDevice>::new_with_attrs(dma, buffer, attrs) {
                Ok(mapping) => check!(len == 1 << 15 && mapping.size() == len),
                Err(failed) => {
                    check!(len > 1 << 15 && failed.error() == ENOMEM);
                    check!(failed.into_buffer().len() == len);
                }
            }
        }
    }
    Ok(())
}

/// There is one for each binding, whatever came of it.
pub(crate) fn once(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    check!(test.dev.dma_setup().err() == Some(EBUSY));
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    check!(test.dev.dma_setup().err() == Some(EBUSY));
    let dma = setup.finish()?;
    check!(test.dev.dma_setup().err() == Some(EBUSY));
    check!(dma.mask() == DmaMask::new::<28>().value());
    Ok(())
}

/// Nor does one that was given up make room for another.
pub(crate) fn once_dropped(test: &mut Test<'_, '_>) -> Result {
    drop(test.setup()?);
    check!(test.dev.dma_setup().err() == Some(EBUSY));
    Ok(())
}

/// What the binding before this one set is forgotten.
pub(crate) fn segments_default(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    check!(dma.max_seg_size() == 1 << 16);
    check!(dma.seg_boundary_mask() == 0xffff_ffff);
    check!(dma.min_align() == 1);
    // With an IOMMU there is a limit to what is fast.
    let (optimal, most) = (dma.opt_mapping_size(), dma.max_mapping_size());
    check!(optimal == most || dma.merge_boundary_mask() != 0 && optimal >= PAGE);
    pr_info!("merges at {}\n", dma.merge_boundary_mask());
    let same: &kernel::device::Device<kernel::device::Bound> = test.dev.as_ref();
    check!(core::ptr::eq(dma.device(), same));
    Ok(())
}

pub(crate) fn segments_wrong(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    check!(setup.set_max_seg_size(0) == Err(EINVAL));
    for boundary in [0, 1, 3, 4095, usize::MAX, (1 << 63) + 1] {
        check!(setup.set_seg_boundary(boundary) == Err(EINVAL));
    }
    let dma = setup.finish()?;
    check!(dma.max_seg_size() == 1 << 16);
    check!(dma.seg_boundary_mask() == 0xffff_ffff);
    Ok(())
}

pub(crate) fn min_align(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<28>())?;
    setup.set_min_align(1)?;
    setup.set_min_align(4096)?;
    for align in [0, 3, 4095, 8192, 1 << 31, u32::MAX] {
        check!(setup.set_min_align(align) == Err(EINVAL));
    }
    check!(setup.finish()?.min_align() == 4096);
    Ok(())
}

pub(crate) fn numbers(_test: &mut Test<'_, '_>) -> Result {
    for bits in [0, 65, 128, u32::MAX] {
        check!(DmaMask::try_new(bits) == Err(EINVAL));
    }
    for bits in 1..=64 {
        check!(DmaMask::try_new(bits)?.value() == u64::MAX >> (64 - bits));
    }
    check!(DmaMask::new::<64>() > DmaMask::new::<1>());
    let (one, other) = (attrs::DMA_ATTR_NO_WARN, attrs::DMA_ATTR_WRITE_COMBINE);
    check!(one != other && one | one == one && one & one == one);
    check!((one | other) & one == one && one & other == Attrs::default());
    check!((one | other) & !one == other && !!(one | other) == one | other);
    // The bits of C that are none of the attributes are not there.
    let all = one | attrs::DMA_ATTR_WEAK_ORDERING | attrs::DMA_ATTR_PRIVILEGED;
    let all = all | attrs::DMA_ATTR_FORCE_CONTIGUOUS | attrs::DMA_ATTR_ALLOC_SINGLE_PAGES;
    check!(!all == other && !Attrs::default() == all | other);
    check!((one | other).contains(one) && !one.contains(other) && (!one).contains(other));
    Ok(())
}
