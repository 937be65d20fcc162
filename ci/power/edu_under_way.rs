// SPDX-License-Identifier: GPL-2.0

//! A transfer of QEMU's `edu` device is under way when the system is shut down, or another kernel
//! is started.
//!
//! A page of coherent memory is filled with words that say so, `KEPT`. The device has others,
//! `STORED`, which are nowhere else in memory. In `shutdown`, it is told to store them to the upper
//! half of the page, 100 ms later. A driver that leaves it at that relies on the bus, which turns
//! bus mastering off. One that waits finds them in the page, and fills it again. In either way, the
//! next kernel finds the page as it was, and `STORED` in no memory; see `power.c`.

use kernel::{
    byteorder::Le64,
    device::{Core, Start},
    dma::{Coherent, DmaMask},
    init::pin_init_scope,
    io::{io_project, Io},
    pci,
    prelude::*,
};

// That of ci/cases.
#[allow(dead_code)]
mod edu;

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 2000;

/// Whether `shutdown` waits. The test makes a second driver of this one, in which it does.
const WAITS: bool = false;

const KEPT: u64 = 0x9a6e << 48 | (WAITS as u64 + 1) << 32;
const STORED: u64 = 0xde71 << 48 | (WAITS as u64 + 1) << 32;

const WORDS: usize = 512;
/// The half of them, which is what the device has.
const HALF: usize = WORDS / 2;
const HALF_SIZE: usize = HALF * core::mem::size_of::<Le64>();

struct EduUnderWay;

struct Data<'bound> {
    edu: edu::Edu<'bound>,
    page: Coherent<'bound, [Le64]>,
}

impl Data<'_> {
    /// Writes to memory at once: there is no copy elsewhere.
    fn fill(&self, words: usize, first: u64) -> Result {
        for number in 0..words {
            let word = Le64::from_cpu(first + number as u64);
            io_project!(self.page, [try: number]).copy_write(word);
        }
        Ok(())
    }

    fn begin(&self) -> Result {
        let half = io_project!(self.page, [try: HALF]).dma_address();
        self.edu.begin_store(0, half, HALF_SIZE)
    }

    /// Waits until all was stored, and makes the page what it was.
    fn come_to_rest(&self) -> Result {
        if !self.edu.is_busy() {
            return Err(EIO);
        }
        self.edu.wait()?;
        for number in 0..HALF {
            let word = io_project!(self.page, [try: HALF + number]).copy_read();
            if word.to_cpu() != STORED + number as u64 {
                return Err(EIO);
            }
        }
        self.fill(WORDS, KEPT)
    }
}

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for EduUnderWay {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let edu = edu::Edu::new(dev)?;
            let mut setup = dev.dma_setup()?;
            // Where there is an IOMMU, its addresses are addresses of memory, too. So it shows when
            // a device goes on, and the IOMMU does not.
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let page = Coherent::zeroed_slice(dma, WORDS, GFP_KERNEL)?;
            Ok(Data { edu, page })
        })
    }

    fn start(dev: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        data.edu.set_master(dev)?;
        data.fill(HALF, STORED)?;
        data.edu.fetch(data.page.dma_address(), 0, HALF_SIZE)?;
        data.fill(WORDS, KEPT)?;
        dev_info!(dev, "the page is at {:#x}\n", data.page.dma_address());
        Ok(())
    }

    fn shutdown(dev: &pci::Device<Core<'_>>, data: Pin<&Data<'_>>) {
        let result = data.begin();
        if !WAITS {
            dev_info!(dev, "shut down: {:?}, under way\n", result);
            return;
        }
        let result = result.and_then(|()| data.come_to_rest());
        dev_info!(dev, "shut down: {:?}, at rest\n", result);
    }
}

kernel::module_pci_driver! {
    type: EduUnderWay,
    name: "edu_under_way",
    authors: ["Seed dfb84e63 maintainers"],
    description: "A transfer of edu is under way at the end",
    license: "GPL",
}
