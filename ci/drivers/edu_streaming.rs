// SPDX-License-Identifier: GPL-2.0

//! Tests of streaming mappings and of non-coherent memory, on QEMU's `edu` device.
//!
//! Reports in KTAP to the kernel log, and does not bind if a test fails. What is expected depends on
//! the guest: with more memory than `edu` reaches and no bounce buffers, nothing can be mapped.

use kernel::{
    device::{Core, Start},
    dma::{self, *},
    page::{Page, PAGE_SIZE},
    pci,
    prelude::*,
};

// That of ci/cases.
#[allow(dead_code)]
mod edu;

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 2000;

const SIZE: usize = 4096;

struct EduStreaming;

type Test<'bound> = fn(&Edu<'bound>) -> Result;

struct Edu<'bound> {
    edu: edu::Edu<'bound>,
    dma: Dma<'bound>,
}

kernel::pci_device_table!(TABLE, (), [(pci::DeviceId::from_id(0x1234, 0x11e8), ())]);

impl pci::Driver for EduStreaming {
    type IdInfo = ();
    type Data<'bound> = Edu<'bound>;

    const ID_TABLE: pci::IdTable<()> = TABLE;

    fn probe<'bound>(
        dev: &pci::Device<Core<'bound>>,
        _info: &'static (),
        mut dma: dma::Setup<'bound>,
    ) -> Result<impl PinInit<Edu<'bound>, Error>> {
        let edu = edu::Edu::new(dev)?;
        dma.set_mask_and_coherent(DmaMask::new::<28>())?;
        Ok(Edu {
            edu,
            dma: dma.finish()?,
        })
    }

    fn start<'bound>(dev: &pci::Device<Start<'_>>, edu: Pin<&Edu<'bound>>) -> Result {
        dev.set_master();

        let max = edu.dma.max_mapping_size();
        pr_info!(
            "max {max:#x}, opt {:#x}, merge {:#x}, limited {}, cache line {}\n",
            edu.dma.opt_mapping_size(),
            edu.dma.merge_boundary_mask(),
            edu.dma.addressing_limited(),
            cache_alignment(),
        );

        let mappings: [(&str, Test<'bound>); 12] = [
            ("KVec there and back", Edu::vector),
            ("KBox in both directions", Edu::value),
            ("PageBox", Edu::page),
            ("used again without being mapped again", Edu::again),
            ("a range, the rest is left alone", Edu::range),
            ("a guard that is leaked", Edu::leaked_guard),
            ("many small buffers at once", Edu::small),
            ("lengths", Edu::lengths),
            ("the largest size", Edu::largest),
            ("ranges and indices out of range", Edu::ranges),
            ("attributes", Edu::attributes),
            ("too much at once, and the buffer back", Edu::exhaustion),
        ];
        let others: [(&str, Test<'bound>); 5] = [
            ("NonCoherent value", Edu::noncoherent_value),
            ("NonCoherent slice", Edu::noncoherent_slice),
            ("NonCoherent pages", Edu::noncoherent_pages),
            ("NonCoherent wrong arguments", Edu::noncoherent_errors),
            ("PageBox and Page", Edu::pages),
        ];
        let none: [(&str, Test<'bound>); 1] = [("nothing can be mapped", Edu::nothing)];

        let tests = if max == 0 { &none[..] } else { &mappings[..] };
        pr_info!("1..{}\n", tests.len() + others.len());
        let mut failed = false;
        for (number, (name, test)) in Iterator::chain(tests.iter(), &others).enumerate() {
            let number = number + 1;
            match test(&edu) {
                Ok(()) => pr_info!("ok {number} {name}\n"),
                Err(error) => {
                    failed = true;
                    pr_info!("not ok {number} {name} # {error:?}\n");
                }
            }
        }
        if failed {
            Err(EIO)
        } else {
            Ok(())
        }
    }
}

/// Fails, and says where, unless something holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_info!("line {}: {}\n", line!(), stringify!($condition));
            return Err(EIO);
        }
    };
}

/// A pattern that does not repeat with the size of a page or a word.
fn pattern(seed: usize, i: usize) -> u8 {
    (i * 7 + i / 251 + seed * 31) as u8
}

fn patterned(seed: usize, len: usize) -> Result<KVec<u8>> {
    let mut vector = KVec::with_capacity(len, GFP_KERNEL)?;
    for i in 0..len {
        vector.push(pattern(seed, i), GFP_KERNEL)?;
    }
    Ok(vector)
}

fn holds(bytes: &[u8], seed: usize) -> bool {
    bytes
        .iter()
        .enumerate()
        .all(|(i, byte)| *byte == pattern(seed, i))
}

fn fill(bytes: &mut [u8], seed: usize) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern(seed, i);
    }
}

fn fails<T>(result: Result<T>, error: Error) -> bool {
    matches!(result, Err(found) if found == error)
}

impl Edu<'_> {
    /// Has the device read memory.
    fn send(&self, from: DmaAddress, len: usize) -> Result {
        self.edu.fetch(from, 0, len)
    }

    /// Has the device write memory.
    fn receive(&self, to: DmaAddress, len: usize) -> Result {
        self.edu.store(0, to, len)
    }

    fn vector(&self) -> Result {
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(1, SIZE)?)?;
        check!(source.size() == SIZE && source.len() == SIZE);
        self.send(source.dma_address(), SIZE)?;
        check!(holds(&source.unmap(), 1));

        let target = KVec::from_elem(0xee, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        self.receive(target.dma_address_at(100)?, 1000)?;
        {
            let found = target.for_cpu();
            check!(found[..100].iter().all(|byte| *byte == 0xee));
            check!(holds(&found[100..1100], 1));
            check!(found[1100..].iter().all(|byte| *byte == 0xee));
        }
        self.receive(target.dma_address(), SIZE)?;
        // Without a guard: unmapping syncs as well.
        check!(holds(&target.unmap(), 1));
        Ok(())
    }

    fn value(&self) -> Result {
        let value = KBox::new([0u32; SIZE / 4], GFP_KERNEL)?;
        let mut value = Mapping::<_, Bidirectional>::new(self.dma, value)?;
        value.for_cpu()[5] = 0x1234_5678;
        self.send(value.dma_address(), SIZE)?;

        value.for_cpu()[5] = 7;
        self.receive(value.dma_address() + 16, SIZE - 16)?;
        let value = value.unmap();
        check!(value[9] == 0x1234_5678 && value[5] == 0);
        Ok(())
    }

    fn page(&self) -> Result {
        let mut page = PageBox::zeroed(GFP_KERNEL)?;
        fill(&mut page[..], 3);
        let mut page = Mapping::<_, Bidirectional>::new(self.dma, page)?;
        check!(page.size() == PAGE_SIZE);
        self.send(page.dma_address(), SIZE)?;
        page.for_cpu().fill(0);
        self.receive(page.dma_address(), SIZE)?;
        check!(holds(&page.for_cpu()[..SIZE], 3));
        let page = page.unmap();
        check!(holds(&page[..SIZE], 3));
        Ok(())
    }

    fn again(&self) -> Result {
        let mut source = Mapping::<_, ToDevice>::new(self.dma, patterned(4, SIZE)?)?;
        let target = KVec::from_elem(0, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        for seed in 5..8 {
            fill(&mut source.for_cpu(), seed);
            self.send(source.dma_address(), SIZE)?;
            self.receive(target.dma_address(), SIZE)?;
            check!(holds(&target.for_cpu(), seed));
        }
        check!(holds(&source.for_cpu(), 7));
        Ok(())
    }

    fn range(&self) -> Result {
        let ring = KVec::from_elem(0, 4 * 1024, GFP_KERNEL)?;
        let mut ring = Mapping::<_, Bidirectional>::new(self.dma, ring)?;
        for slot in 0..4 {
            fill(
                &mut ring.for_cpu_range(slot * 1024..(slot + 1) * 1024)?,
                10 + slot,
            );
        }
        self.send(ring.dma_address_of(2 * 1024)?, 1024)?;
        ring.for_cpu_bytes(1024..2048)?.fill(0x55);
        self.receive(ring.dma_address_of(1024)?, 512)?;
        {
            let slot = ring.for_cpu_range(1024..2048)?;
            check!(slot.len() == 1024);
            check!(holds(&slot[..512], 12));
            check!(slot[512..].iter().all(|byte| *byte == 0x55));
        }
        let ring = ring.unmap();
        for slot in [0, 2, 3] {
            check!(holds(&ring[slot * 1024..(slot + 1) * 1024], 10 + slot));
        }
        Ok(())
    }

    fn leaked_guard(&self) -> Result {
        let target = KVec::from_elem(0, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(20, SIZE)?)?;
        core::mem::forget(target.for_cpu());
        self.send(source.dma_address(), SIZE)?;
        self.receive(target.dma_address(), SIZE)?;
        check!(holds(&target.for_cpu(), 20));
        Ok(())
    }

    fn small(&self) -> Result {
        type Line<'a> = Mapping<'a, KBox<[u8; 64]>, FromDevice>;
        type Word<'a> = Mapping<'a, KBox<u32>, ToDevice>;
        let mut lines = KVec::new();
        let mut words = KVec::new();
        for i in 0..64 {
            lines.push(
                Line::new(self.dma, KBox::new([0; 64], GFP_KERNEL)?)?,
                GFP_KERNEL,
            )?;
            words.push(Word::new(self.dma, KBox::new(i, GFP_KERNEL)?)?, GFP_KERNEL)?;
        }
        self.send(words[41].dma_address(), 4)?;
        self.receive(lines[43].dma_address(), 4)?;
        for (i, line) in lines.iter_mut().enumerate() {
            check!(line.for_cpu()[0] == if i == 43 { 41 } else { 0 });
        }
        Ok(())
    }

    fn lengths(&self) -> Result {
        let empty = Mapping::<_, ToDevice>::new(self.dma, KVec::<u8>::new());
        check!(fails(empty.map_err(Error::from), EINVAL));
        let empty = KVec::<u8>::with_capacity(SIZE, GFP_KERNEL)?;
        let empty = Mapping::<_, FromDevice>::new(self.dma, empty);
        check!(fails(empty.map_err(Error::from), EINVAL));

        let short = Mapping::<_, FromDevice>::new(self.dma, patterned(1, 16)?);
        let failed = short.err().ok_or(EIO)?;
        check!(failed.error() == EINVAL && holds(&failed.into_buffer(), 1));
        let mut short = KVec::with_capacity(64, GFP_KERNEL)?;
        short.push(1u8, GFP_KERNEL)?;
        check!(Mapping::<_, FromDevice>::new(self.dma, short)?.size() == 1);
        check!(Mapping::<_, ToDevice>::new(self.dma, patterned(1, 1)?)?.size() == 1);

        for len in [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1] {
            check!(
                Mapping::<_, ToDevice>::new(self.dma, patterned(1, len)?)?
                    .unmap()
                    .len()
                    == len
            );
        }
        Ok(())
    }

    fn largest(&self) -> Result {
        // The largest that can be allocated, if there is no limit.
        let max = core::cmp::min(self.dma.max_mapping_size(), 1 << 20);
        let buffer = KVec::from_elem(0u8, max, GFP_KERNEL)?;
        check!(Mapping::<_, Bidirectional>::new(self.dma, buffer)?.size() == max);
        if max == self.dma.max_mapping_size() {
            let buffer = KVec::from_elem(0u8, max + 1, GFP_KERNEL)?;
            let failed = Mapping::<_, ToDevice>::new(self.dma, buffer)
                .err()
                .ok_or(EIO)?;
            check!(failed.error() == EINVAL && failed.into_buffer().len() == max + 1);
        }
        Ok(())
    }

    fn ranges(&self) -> Result {
        let buffer = KVec::from_elem(0u32, 64, GFP_KERNEL)?;
        let mut buffer = Mapping::<_, Bidirectional>::new(self.dma, buffer)?;
        #[allow(clippy::reversed_empty_ranges)]
        for range in [
            0..0,
            64..64,
            2..1,
            0..65,
            64..65,
            usize::MAX..usize::MAX,
            1..usize::MAX,
        ] {
            check!(fails(buffer.for_cpu_range(range.clone()), EINVAL));
            if range.end != 65 {
                check!(fails(buffer.for_cpu_bytes(range), EINVAL));
            }
        }
        check!(fails(buffer.for_cpu_bytes(0..257), EINVAL));
        check!(buffer.for_cpu_bytes(255..256)?.len() == 1);
        check!(buffer.for_cpu_range(63..64)?.len() == 1);
        check!(buffer.for_cpu_range(0..64)?.len() == 64);
        let addr = buffer.dma_address();
        check!(buffer.dma_address_at(255)? == addr + 255);
        check!(fails(buffer.dma_address_at(256), EINVAL));
        check!(buffer.dma_address_of(63)? == addr + 252);
        check!(fails(buffer.dma_address_of(64), EINVAL));
        Ok(())
    }

    fn attributes(&self) -> Result {
        let all = attrs::WEAK_ORDERING
            | attrs::WRITE_COMBINE
            | attrs::FORCE_CONTIGUOUS
            | attrs::ALLOC_SINGLE_PAGES
            | attrs::NO_WARN
            | attrs::PRIVILEGED;
        let source = Mapping::<_, ToDevice>::new_with_attrs(self.dma, patterned(30, SIZE)?, all)?;
        self.send(source.dma_address(), SIZE)?;
        let page = PageBox::zeroed(GFP_KERNEL)?;
        let page = Mapping::<_, FromDevice>::new_with_attrs(self.dma, page, all)?;
        self.receive(page.dma_address(), SIZE)?;
        check!(holds(&page.unmap()[..SIZE], 30));
        pr_info!("needs sync: {}\n", source.need_sync());
        Ok(())
    }

    /// Maps until the bounce buffers are used up, if there are any.
    fn exhaustion(&self) -> Result {
        if self.dma.max_mapping_size() == usize::MAX {
            return Ok(());
        }
        let mut mappings = KVec::new();
        let failed = loop {
            let buffer = KVec::from_elem(mappings.len() as u8, 128 << 10, GFP_KERNEL)?;
            match Mapping::<_, ToDevice>::new_with_attrs(self.dma, buffer, attrs::NO_WARN) {
                Ok(mapping) => mappings.push(mapping, GFP_KERNEL)?,
                Err(failed) => break failed,
            }
        };
        check!(failed.error() == ENOMEM);
        let buffer = failed.into_buffer();
        check!(buffer.iter().all(|byte| *byte == mappings.len() as u8));
        pr_info!("{} mappings of 128 KiB\n", mappings.len());
        drop(mappings);
        check!(Mapping::<_, ToDevice>::new(self.dma, buffer)?.size() == 128 << 10);
        Ok(())
    }

    fn nothing(&self) -> Result {
        let failed = Mapping::<_, ToDevice>::new(self.dma, patterned(1, SIZE)?);
        let failed = failed.err().ok_or(EINVAL)?;
        check!(failed.error() == EIO && holds(&failed.into_buffer(), 1));
        let page = Mapping::<_, ToDevice>::new(self.dma, PageBox::zeroed(GFP_KERNEL)?);
        check!(fails(page.map_err(Error::from), EIO));
        Ok(())
    }

    fn noncoherent_value(&self) -> Result {
        type Value<'a> = NonCoherent<'a, [u32; 4], Bidirectional>;
        let mut value = Value::zeroed(self.dma, GFP_KERNEL)?;
        check!(value.size() == 16 && *value.for_cpu() == [0; 4]);
        *value.for_cpu() = [1, 2, 3, 4];
        self.send(value.dma_address(), 16)?;
        *value.for_cpu() = [9; 4];
        self.receive(value.dma_address_at(4)?, 8)?;
        check!(*value.for_cpu() == [9, 1, 2, 9]);
        Ok(())
    }

    fn noncoherent_slice(&self) -> Result {
        let mut source = NonCoherent::<[u8], ToDevice>::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
        let mut target = NonCoherent::<[u8], FromDevice>::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
        fill(&mut source.for_cpu(), 40);
        self.send(source.dma_address(), SIZE)?;
        self.receive(target.dma_address_of(1)?, SIZE - 1)?;
        check!(target.for_cpu()[0] == 0);
        check!(holds(&target.for_cpu_range(1..SIZE)?, 40));
        Ok(())
    }

    fn noncoherent_pages(&self) -> Result {
        type Pages<'a> = NonCoherent<'a, [[u8; PAGE_SIZE]], Bidirectional>;
        let mut pages = Pages::zeroed_slice(self.dma, 3, GFP_KERNEL)?;
        fill(&mut pages.for_cpu_range(1..2)?[0], 41);
        self.send(pages.dma_address_of(1)?, SIZE)?;
        self.receive(pages.dma_address_of(2)?, SIZE)?;
        let pages = pages.for_cpu();
        check!(pages[0] == [0; PAGE_SIZE]);
        check!(holds(&pages[1][..SIZE], 41) && holds(&pages[2][..SIZE], 41));
        Ok(())
    }

    fn noncoherent_errors(&self) -> Result {
        type Words<'a> = NonCoherent<'a, [u32], FromDevice>;
        check!(fails(Words::zeroed_slice(self.dma, 0, GFP_KERNEL), EINVAL));
        check!(fails(
            Words::zeroed_slice(self.dma, usize::MAX / 2, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, usize::MAX / 4, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, 1 << 28, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, 1 << 24, GFP_ATOMIC),
            ENOMEM
        ));
        check!(fails(Words::zeroed_slice(self.dma, 1, GFP_ATOMIC), EINVAL));
        check!(fails(
            Words::zeroed_slice(self.dma, 1, GFP_KERNEL | __GFP_HIGHMEM),
            EINVAL
        ));
        check!(Words::zeroed_slice(self.dma, 1, GFP_KERNEL | __GFP_ZERO)?.size() == 4);
        for words in [PAGE_SIZE / 4 - 1, PAGE_SIZE / 4, PAGE_SIZE / 4 + 1, 1 << 18] {
            let mut memory = Words::zeroed_slice(self.dma, words, GFP_KERNEL)?;
            check!(memory.len() == words && memory.for_cpu().iter().all(|word| *word == 0));
            check!(fails(memory.for_cpu_range(words - 1..words + 1), EINVAL));
        }
        Ok(())
    }

    fn pages(&self) -> Result {
        let mut page = PageBox::zeroed(GFP_KERNEL | __GFP_HIGHMEM)?;
        check!(*page == [0; PAGE_SIZE]);
        page[7] = 7;
        let page = PageBox::try_from(Page::from(page))?;
        check!(*page == [0; PAGE_SIZE]);
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: EduStreaming,
    name: "edu_streaming",
    author: "Seed dfb84e63 maintainers",
    description: "Tests of streaming mappings, on QEMU's edu device",
    license: "GPL",
}
