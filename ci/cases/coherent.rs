// SPDX-License-Identifier: GPL-2.0

//! Coherent memory: how it is allocated, what is in it, and that the device gets it.

use crate::{Data, Test};
use kernel::{
    alloc::{flags, Flags},
    device::Start,
    dma::{
        attrs, Attrs, Coherent, CoherentBox, CoherentHandle, Dma, DmaMask, FromDevice, NonCoherent,
    },
    dma_struct, init,
    io::Io,
    io_project, io_read, pci,
    prelude::*,
};

const PAGE: usize = kernel::page::PAGE_SIZE;
const GIB: usize = 1 << 30;

/// What one block of pages has at most; more may be had with an IOMMU.
const LARGEST: usize = 4 << 20;

type Bytes<'bound> = Coherent<'bound, [u8]>;

dma_struct! {
    #[derive(Clone, Copy, PartialEq)]
    pub(crate) struct Record {
        pub(crate) long: u64,
        pub(crate) word: u32,
        pub(crate) short: u16,
        pub(crate) bytes: [u8; 2],
        pub(crate) tail: [u16; 4],
    }
}

dma_struct! {
    struct Odd {
        bytes: [u8; 4097],
    }
}

const RECORD: Record = Record {
    long: 0x0102_0304_0506_0708,
    word: 0x1112_1314,
    short: 0x2122,
    bytes: [0x31, 0x32],
    tail: [0x4142, 0x4344, 0x4546, 0x4748],
};

pub(crate) fn bytes(dma: Dma<'_>, len: usize) -> Result<Bytes<'_>> {
    Coherent::zeroed_slice(dma, len, GFP_KERNEL)
}

/// As many bytes that differ from place to place.
pub(crate) fn pattern(len: usize, seed: usize) -> Result<KVec<u8>> {
    let mut pattern = KVec::with_capacity(len, GFP_KERNEL)?;
    for i in 0..len {
        pattern.push((i * 7 + i / 251 + seed) as u8, GFP_KERNEL)?;
    }
    Ok(pattern)
}

fn all_zero(memory: &Bytes<'_>) -> Result<bool> {
    let mut some = KVec::from_elem(1u8, PAGE, GFP_KERNEL)?;
    let mut at = 0;
    while at < memory.len() {
        let len = PAGE.min(memory.len() - at);
        io_project!(memory, [try: at..at + len]).copy_to_slice(&mut some[..len]);
        if some[..len].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += len;
    }
    Ok(true)
}

pub(crate) fn sizes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    for len in [
        1,
        2,
        7,
        8,
        PAGE - 1,
        PAGE,
        PAGE + 1,
        2 * PAGE - 1,
        2 * PAGE,
        3 * PAGE,
        65535,
        65536,
        65537,
        1 << 20,
        LARGEST - 1,
        LARGEST,
    ] {
        let memory = bytes(dma, len)?;
        check!(memory.len() == len);
        check!(memory.size() == len);
        check!(memory.dma_address() % PAGE as u64 == 0);
        let last = io_project!(memory, [try: len - 1]);
        check!(last.dma_address() - memory.dma_address() == len as u64 - 1);
        check!(last.dma_address() <= DmaMask::new::<28>().value());
        check!(all_zero(&memory)?);
        last.write_val(0xa5);
        check!(io_read!(memory, [try: len - 1]) == 0xa5);
        let past = || -> Result<u8> { Ok(io_read!(memory, [try: len])) };
        check!(past() == Err(ERANGE));
    }
    let odd = Coherent::<Odd>::zeroed(dma, GFP_KERNEL)?;
    check!(odd.size() == 4097);
    let last = io_project!(odd, .bytes[build: 4096]);
    check!(last.dma_address() - odd.dma_address() == 4096);
    let records = Coherent::<[Record]>::zeroed_slice(dma, 171, GFP_KERNEL)?;
    check!(records.len() == 171);
    check!(records.size() == 171 * 24);
    check!(io_project!(records, [try: 170]).dma_address() - records.dma_address() == 170 * 24);
    Ok(())
}

/// What was freed and is allocated again is zeroes.
pub(crate) fn zeroed_again(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    for len in [PAGE, 4 * PAGE, 1 << 20] {
        for _ in 0..4 {
            let memory = bytes(dma, len)?;
            check!(all_zero(&memory)?);
            let dirt = KVec::from_elem(0xffu8, PAGE, GFP_KERNEL)?;
            let mut at = 0;
            while at < len {
                io_project!(memory, [try: at..at + PAGE]).copy_from_slice(&dirt);
                at += PAGE;
            }
        }
    }
    Ok(())
}

pub(crate) fn nothing(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let (flags, attrs) = (GFP_KERNEL, attrs::DMA_ATTR_NO_WARN);
    check!(Bytes::zeroed_slice(dma, 0, flags).err() == Some(EINVAL));
    check!(Bytes::zeroed_slice_with_attrs(dma, 0, flags, attrs).err() == Some(EINVAL));
    check!(Coherent::<[u64]>::zeroed_slice(dma, 0, flags).err() == Some(EINVAL));
    check!(CoherentBox::<[u8]>::zeroed_slice(dma, 0, flags).err() == Some(EINVAL));
    check!(
        CoherentBox::<[u8]>::zeroed_slice_with_attrs(dma, 0, flags, attrs).err() == Some(EINVAL)
    );
    check!(CoherentBox::<[u8]>::from_slice(dma, &[], flags).err() == Some(EINVAL));
    check!(
        CoherentBox::<[u8]>::from_slice_with_attrs(dma, &[], flags, attrs).err() == Some(EINVAL)
    );
    check!(CoherentHandle::alloc(dma, 0, flags).err() == Some(EINVAL));
    check!(CoherentHandle::alloc_with_attrs(dma, 0, flags, attrs).err() == Some(EINVAL));
    Ok(())
}

/// Neither the product nor the size overflows into something that can be had.
pub(crate) fn too_much(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let flags = GFP_KERNEL;
    for len in [
        GIB + 1,
        GIB + PAGE,
        2 * GIB - 1,
        2 * GIB,
        4 * GIB,
        4 * GIB + 1,
        4 * GIB + PAGE,
        isize::MAX as usize,
        isize::MAX as usize + 1,
        usize::MAX - PAGE,
        usize::MAX,
    ] {
        check!(Bytes::zeroed_slice(dma, len, flags).err() == Some(ENOMEM));
        check!(CoherentBox::<[u8]>::zeroed_slice(dma, len, flags).err() == Some(ENOMEM));
        check!(CoherentHandle::alloc(dma, len, flags).err() == Some(ENOMEM));
    }
    for bytes in [GIB + 8, 1 << 62, 1 << 63, usize::MAX] {
        check!(Coherent::<[u64]>::zeroed_slice(dma, bytes / 8, flags).err() == Some(ENOMEM));
    }
    for len in [
        usize::MAX / 8 + 1,
        usize::MAX / 8 + 2,
        usize::MAX / 4,
        usize::MAX / 2 + 1,
        usize::MAX,
    ] {
        // times 8 this is little, or nothing, with an overflow
        check!(Coherent::<[u64]>::zeroed_slice(dma, len, flags).err() == Some(ENOMEM));
        check!(CoherentBox::<[u64]>::zeroed_slice(dma, len, flags).err() == Some(ENOMEM));
    }
    let len = usize::MAX / core::mem::size_of::<Record>() + 1;
    check!(Coherent::<[Record]>::zeroed_slice(dma, len, flags).err() == Some(ENOMEM));
    Ok(())
}

/// The largest size that can be had, and that nothing worse than an error comes of the next.
pub(crate) fn largest(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let mut len = PAGE;
    let mut got = 0;
    while len <= 16 * LARGEST {
        match bytes(dma, len) {
            Ok(memory) => {
                io_project!(memory, [try: len - 4..]).copy_from_slice(&[1, 2, 3, 4]);
                got = len;
            }
            Err(error) => check!(error == ENOMEM),
        }
        len *= 2;
    }
    check!(got >= LARGEST);
    kernel::pr_info!("largest: {} KiB\n", got >> 10);
    // Without sleeping no more than one block is tried.
    check!(Bytes::zeroed_slice(dma, LARGEST + 1, GFP_ATOMIC).err() == Some(ENOMEM));
    check!(Bytes::zeroed_slice(dma, LARGEST + 1, GFP_NOWAIT).err() == Some(ENOMEM));
    check!(CoherentHandle::alloc(dma, GIB / 2, GFP_ATOMIC).err() == Some(ENOMEM));
    Ok(())
}

/// More than there is, in as many pieces as it takes with an IOMMU. Nobody is killed for it, which
/// the tests would take for a fault of the kernel's.
pub(crate) fn huge(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    check!(Bytes::zeroed_slice(dma, GIB, GFP_KERNEL).err() == Some(ENOMEM));
    check!(CoherentBox::<[u8]>::zeroed_slice(dma, GIB, GFP_KERNEL).err() == Some(ENOMEM));
    check!(CoherentHandle::alloc(dma, GIB, GFP_KERNEL).err() == Some(ENOMEM));
    type Slice<'bound> = NonCoherent<'bound, [u8], FromDevice>;
    check!(Slice::zeroed_slice(dma, GIB, GFP_KERNEL).err() == Some(ENOMEM));
    // And then it is all there again.
    check!(bytes(dma, LARGEST)?.size() == LARGEST);
    Ok(())
}

pub(crate) fn flags(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let good: [Flags; 9] = [
        GFP_KERNEL,
        flags::GFP_KERNEL_ACCOUNT,
        GFP_ATOMIC,
        GFP_NOWAIT,
        GFP_KERNEL | flags::__GFP_ZERO,
        GFP_KERNEL | flags::__GFP_NOWARN,
        GFP_KERNEL | flags::__GFP_HIGHMEM,
        GFP_ATOMIC | flags::__GFP_ZERO | flags::__GFP_NOWARN,
        GFP_KERNEL & !flags::__GFP_ZERO,
    ];
    for flags in good {
        let memory = Bytes::zeroed_slice(dma, PAGE + 1, flags)?;
        check!(all_zero(&memory)?);
    }
    // All those that C warns of.
    for flags in [!GFP_KERNEL, !flags::__GFP_ZERO, !(GFP_KERNEL | GFP_ATOMIC)] {
        check!(Bytes::zeroed_slice(dma, PAGE, flags).err() == Some(EINVAL));
        check!(CoherentBox::<u64>::new(dma, 1, flags).err() == Some(EINVAL));
        check!(CoherentHandle::alloc(dma, PAGE, flags).err() == Some(EINVAL));
    }
    Ok(())
}

pub(crate) const ATTRS: [Attrs; 6] = [
    attrs::DMA_ATTR_WEAK_ORDERING,
    attrs::DMA_ATTR_WRITE_COMBINE,
    attrs::DMA_ATTR_FORCE_CONTIGUOUS,
    attrs::DMA_ATTR_ALLOC_SINGLE_PAGES,
    attrs::DMA_ATTR_NO_WARN,
    attrs::DMA_ATTR_PRIVILEGED,
];

/// Each attribute by itself, each pair, and all of them.
pub(crate) fn attributes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let mut all = Attrs::default();
    for (at, one) in ATTRS.into_iter().enumerate() {
        check!(one != Attrs::default());
        check!(one.contains(one) && one.contains(Attrs::default()));
        check!(!all.contains(one) && !one.contains(all | one) || at == 0);
        all = all | one;
        check!(all.contains(one));
        for other in ATTRS {
            let attrs = one | other;
            for len in [1, PAGE + 1, 65536] {
                let memory = Bytes::zeroed_slice_with_attrs(dma, len, GFP_KERNEL, attrs)?;
                check!(all_zero(&memory)?);
                drop(CoherentHandle::alloc_with_attrs(
                    dma, len, GFP_KERNEL, attrs,
                )?);
            }
        }
    }
    let value = Coherent::<u64>::zeroed_with_attrs(dma, GFP_KERNEL, all)?;
    value.write_val(7);
    check!(value.read_val() == 7);
    check!(*CoherentBox::<u64>::zeroed_with_attrs(dma, GFP_KERNEL, all)? == 0);
    check!(CoherentBox::from_slice_with_attrs(dma, &[1u8, 2], GFP_KERNEL, all)?[..] == [1, 2]);
    Ok(())
}

/// Each part has the address that is as far from the first as it is itself.
pub(crate) fn addresses(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let memory = Coherent::<[u64]>::zeroed_slice(dma, 513, GFP_KERNEL)?;
    let first = memory.dma_address();
    for index in 0..513 {
        let part = io_project!(memory, [try: index]);
        check!(part.dma_address() - first == 8 * index as u64);
        let rest = io_project!(memory, [try: index..]);
        check!(rest.dma_address() == part.dma_address() && rest.len() == 513 - index);
        let cast = rest.try_cast::<u32>()?;
        check!(cast.dma_address() == part.dma_address() && cast.size() == 4);
    }
    check!(io_project!(memory, [try: 513..]).is_empty());
    let at = |index: usize| -> Result<u64> { Ok(io_project!(memory, [try: index]).dma_address()) };
    for index in [
        513,
        514,
        1 << 61,
        (1 << 61) + 1,
        isize::MAX as usize,
        usize::MAX / 8 + 1,
        usize::MAX,
    ] {
        check!(at(index) == Err(ERANGE));
    }
    let range = |start: usize, end: usize| -> Result<usize> {
        Ok(io_project!(memory, [try: start..end]).len())
    };
    check!(range(0, 513) == Ok(513) && range(512, 513) == Ok(1) && range(7, 7) == Ok(0));
    for (start, end) in [
        (0, 514),
        (513, 514),
        (514, 514),
        (2, 1),
        (1, usize::MAX),
        (usize::MAX, usize::MAX),
        (usize::MAX, 0),
    ] {
        check!(range(start, end) == Err(ERANGE));
    }
    let records = Coherent::<[Record]>::zeroed_slice(dma, 3, GFP_KERNEL)?;
    let field = io_project!(records, [try: 2].tail[build: 3]);
    check!(field.dma_address() - records.dma_address() == 2 * 24 + 16 + 6);
    field.as_sys_mem().write_val(0x5152);
    check!(field.read_val() == 0x5152);
    Ok(())
}

pub(crate) fn boxes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let mut value = CoherentBox::new(dma, RECORD, GFP_KERNEL)?;
    check!(*value == RECORD);
    value.tail[3] = 9;
    check!(value.tail == [0x4142, 0x4344, 0x4546, 9]);
    check!(value.long == RECORD.long);
    let shared: Coherent<'_, Record> = value.into();
    check!(shared.copy_read().tail[3] == 9);
    check!(shared.size() == 24);
    let zero = CoherentBox::<Record>::zeroed(dma, GFP_KERNEL)?;
    check!(zero.long == 0 && zero.tail == [0; 4]);
    check!(zero.share().copy_read().word == 0);
    Ok(())
}

/// An initialiser that fails has its error returned, and the memory freed; it saw zeroes.
pub(crate) fn box_init(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let array = CoherentBox::<[u8; 4097]>::init::<Error>(
        dma,
        init::init_array_from_fn(|i| (i % 251) as u8),
        GFP_KERNEL,
    )?;
    check!(array
        .iter()
        .enumerate()
        .all(|(i, byte)| *byte == (i % 251) as u8));
    for fails_at in [0, 1, 2048, 4095] {
        let failed = CoherentBox::<[u8; 4096]>::init::<Error>(
            dma,
            init::init_array_from_fn(|i| {
                // SAFETY: If it returns an error, nothing needs to be dropped.
                unsafe {
                    init::init_from_closure(move |slot: *mut u8| {
                        if i == fails_at {
                            return Err(ENOTTY);
                        }
                        slot.write(1);
                        Ok(())
                    })
                }
            }),
            GFP_KERNEL,
        );
        check!(failed.err() == Some(ENOTTY));
    }
    Ok(())
}

pub(crate) fn box_slices(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    for len in [1, 7, PAGE - 1, PAGE, PAGE + 1] {
        let from = pattern(len, len)?;
        let mut memory = CoherentBox::from_slice(dma, &from, GFP_KERNEL)?;
        check!(memory[..] == from[..]);
        memory[len - 1] ^= 0xff;
        check!(memory.get(len).is_none());
        let memory = memory.share();
        check!(io_read!(memory, [try: len - 1]) == !from[len - 1]);
        check!(memory.len() == len);
    }
    Ok(())
}

pub(crate) fn handles(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    for len in [1, PAGE - 1, PAGE, PAGE + 1, 1 << 20, LARGEST] {
        for flags in [GFP_KERNEL, GFP_ATOMIC] {
            let handle = CoherentHandle::alloc(dma, len, flags)?;
            check!(handle.size() == len);
            check!(handle.dma_address_at(0)? == handle.dma_address());
            check!(handle.dma_address_at(len - 1)? - handle.dma_address() == len as u64 - 1);
            check!(handle.dma_address_at(len - 1)? <= DmaMask::new::<28>().value());
        }
    }
    Ok(())
}

pub(crate) fn handles_wrong(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let handle = CoherentHandle::alloc(dma, PAGE, GFP_KERNEL)?;
    for offset in [PAGE, PAGE + 1, isize::MAX as usize, usize::MAX] {
        check!(handle.dma_address_at(offset) == Err(EINVAL));
    }
    let zeroed = GFP_KERNEL | flags::__GFP_ZERO;
    check!(CoherentHandle::alloc(dma, PAGE, zeroed).err() == Some(EINVAL));
    check!(
        CoherentHandle::alloc_with_attrs(dma, PAGE, zeroed, attrs::DMA_ATTR_NO_WARN).err()
            == Some(EINVAL)
    );
    Ok(())
}

/// When there is no more, that is an error; and when it was freed, it is there again.
pub(crate) fn exhausted(test: &mut Test<'_, '_>) -> Result {
    let mut setup = test.setup()?;
    setup.set_mask_and_coherent(DmaMask::new::<24>())?;
    let dma = setup.finish()?;
    let mut before = None;
    for _ in 0..3 {
        let mut all = KVec::new();
        let error = loop {
            match Bytes::zeroed_slice_with_attrs(dma, 1 << 18, GFP_KERNEL, attrs::DMA_ATTR_NO_WARN)
            {
                Ok(memory) => all.push(memory, GFP_KERNEL)?,
                Err(error) => break error,
            }
        };
        check!(error == ENOMEM);
        check!(all.len() <= 1 << 6);
        check!(all.len() > 4);
        for (at, memory) in all.iter().enumerate() {
            kernel::io_write!(memory, [try: 0], at as u8);
        }
        for (at, memory) in all.iter().enumerate() {
            check!(io_read!(memory, [try: 0]) == at as u8);
        }
        // Others may have taken a little.
        check!(before.map_or(true, |before| all.len() + 4 > before));
        before = Some(all.len());
    }
    Ok(())
}

// What the device gets and gives ------------------------------------------------------------------

pub(crate) fn moves_bytes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 3 * PAGE)?);
    Ok(())
}

/// From one place to another, over the border of a page, and not a byte more.
pub(crate) fn moves_bytes_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let memory = data.bytes()?;
    for (from, to, len) in [
        (0, PAGE, 1),
        (PAGE - 3, 2 * PAGE - 5, 64),
        (1, 2 * PAGE, PAGE),
    ] {
        let mut expected = pattern(3 * PAGE, len)?;
        memory.copy_from_slice(&expected);
        data.edu()?
            .fetch(io_project!(memory, [try: from]).dma_address(), 0, len)?;
        data.edu()?
            .store(0, io_project!(memory, [try: to]).dma_address(), len)?;
        for at in 0..len {
            expected[to + at] = expected[from + at];
        }
        let mut found = KVec::from_elem(0, 3 * PAGE, GFP_KERNEL)?;
        memory.copy_to_slice(&mut found);
        check!(found[..] == expected[..]);
    }
    Ok(())
}

/// Values of all origins, for `moves_values`.
pub(crate) struct Values<'bound> {
    new: Coherent<'bound, Record>,
    slice: Coherent<'bound, [Record]>,
    zeroed: Coherent<'bound, Record>,
}

pub(crate) fn moves_values(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    let mut last = RECORD;
    last.word = 5;
    test.kept.values = Some(Values {
        new: CoherentBox::new(dma, RECORD, GFP_KERNEL)?.share(),
        slice: CoherentBox::from_slice(dma, &[RECORD, last], GFP_KERNEL)?.share(),
        zeroed: Coherent::zeroed(dma, GFP_KERNEL)?,
    });
    Ok(())
}

/// What was put into a box before it was shared is what the device gets.
pub(crate) fn moves_values_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let (edu, values) = (data.edu()?, data.kept.values.as_ref().ok_or(EINVAL)?);
    edu.fetch(values.new.dma_address(), 0, 24)?;
    edu.store(0, values.zeroed.dma_address(), 24)?;
    check!(values.zeroed.copy_read() == RECORD);
    edu.fetch(io_project!(values.slice, [try: 1]).dma_address(), 0, 24)?;
    edu.store(0, values.zeroed.dma_address(), 24)?;
    check!(values.zeroed.copy_read() == Record { word: 5, ..RECORD });
    edu.store(8, io_project!(values.slice, [try: 0]).dma_address(), 4)?;
    check!(io_read!(values.slice, [try: { 0 }].long) == 0x0102_0304_0000_0005);
    check!(io_read!(values.slice, [try: 1].word) == 5);
    Ok(())
}

pub(crate) fn moves_handle(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, PAGE)?);
    test.kept.handle = Some(CoherentHandle::alloc(dma, 2 * PAGE, GFP_KERNEL)?);
    Ok(())
}

/// The device can use what the CPU cannot.
pub(crate) fn moves_handle_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let (edu, memory) = (data.edu()?, data.bytes()?);
    let handle = data.kept.handle.as_ref().ok_or(EINVAL)?;
    let expected = pattern(PAGE, 3)?;
    memory.copy_from_slice(&expected);
    edu.fetch(memory.dma_address(), 0, PAGE)?;
    edu.store(0, handle.dma_address_at(PAGE - 8)?, PAGE)?;
    memory.copy_from_slice(&KVec::from_elem(0, PAGE, GFP_KERNEL)?);
    edu.fetch(handle.dma_address_at(PAGE - 8)?, 0, PAGE)?;
    edu.store(0, memory.dma_address(), PAGE)?;
    let mut found = KVec::from_elem(0, PAGE, GFP_KERNEL)?;
    memory.copy_to_slice(&mut found);
    check!(found[..] == expected[..]);
    Ok(())
}

pub(crate) fn moves_with_attributes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    for attrs in ATTRS {
        let memory = Bytes::zeroed_slice_with_attrs(dma, 256, GFP_KERNEL, attrs)?;
        test.kept.more.push(memory, GFP_KERNEL)?;
    }
    Ok(())
}

/// In a chain through memory of all attributes.
pub(crate) fn moves_with_attributes_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let expected = pattern(256, 1)?;
    let all = &data.kept.more;
    all[0].copy_from_slice(&expected);
    for pair in all.windows(2) {
        data.edu()?.fetch(pair[0].dma_address(), 0, 256)?;
        data.edu()?.store(0, pair[1].dma_address(), 256)?;
    }
    let mut found = [0; 256];
    all[all.len() - 1].copy_to_slice(&mut found);
    check!(found[..] == expected[..]);
    Ok(())
}
