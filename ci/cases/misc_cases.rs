// SPDX-License-Identifier: GPL-2.0

//! Cases for misc devices, and for memory that user space maps: a driver for `edu`, by which
//! `misc.c` has it copy.
//!
//! Not for v6.12, which has none; test_v73 makes one for v7.3 of it. `cases.sh` gives it the devices.
//! What is printed here, it reads.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    dma::{Dma, DmaMask, UserCoherent},
    driver::{Misc, MiscHandler, MmapArea},
    init::pin_init_scope,
    io::{poll::read_poll_timeout, Io},
    io_project,
    ioctl::{_IO, _IOR, _IOW, _IOWR},
    new_mutex, pci,
    prelude::*,
    str::CString,
    sync::Mutex,
    time::{delay::fsleep, Delta},
};

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 5000;

/// Ends a case, as failed, unless `$condition` holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_err!(
                "FAILED: {}:{}: {}\n",
                file!(),
                line!(),
                stringify!($condition)
            );
            return Err(EIO);
        }
    };
}

/// The registers of the device, and the memory of its own.
const ID: usize = 0x00;
const SOURCE: usize = 0x80;
const DESTINATION: usize = 0x88;
const COUNT: usize = 0x90;
const COMMAND: usize = 0x98;
const RUN: u32 = 1;
const FROM_DEVICE: u32 = 2;
const BUFFER: u32 = 0x4_0000;

const MAGIC: u32 = 'e' as u32;
/// The device copies: from and to where in the memory, and how much.
const COPY: u32 = _IOW::<[u32; 3]>(MAGIC, 0);
/// Adds 1 to each byte.
const ADD: u32 = _IOWR::<[u8; 8]>(MAGIC, 1);
/// Takes its time.
const SLOW: u32 = _IO(MAGIC, 2);
/// Drops the memory that can be dropped.
const DROP: u32 = _IO(MAGIC, 3);
/// How much is kept.
const KEPT: u32 = _IOR::<u32>(MAGIC, 4);

/// What is mapped at this page, and beyond.
const DROPPABLE: usize = 0x100;
const NOTHING: usize = 0x200;

/// The page size of x86.
const PAGE: usize = 4096;
const PAGES: usize = 4;

static BOUND: AtomicUsize = AtomicUsize::new(0);

/// The first device, when it is bound again: five were bound before. Then somebody calls while
/// `start` has it reset.
const AGAIN: usize = 5;

#[pin_data(PinnedDrop)]
struct Data<'bound> {
    dma: Dma<'bound>,
    edu: pci::Bar<'bound, 0xa0>,
    memory: UserCoherent<'bound>,
    misc: Misc<'bound>,
    /// Nobody registers it.
    unused: Misc<'bound>,
    running: AtomicUsize,
    /// A call that takes its time is running.
    slow: AtomicBool,
    quiesced: AtomicBool,
    number: usize,
    #[pin]
    device: Mutex<()>,
    #[pin]
    droppable: Mutex<Option<UserCoherent<'bound>>>,
}

#[pinned_drop]
impl PinnedDrop for Data<'_> {
    fn drop(self: Pin<&mut Self>) {
        if self.running.load(Ordering::SeqCst) != 0 {
            pr_err!("FAILED: a call is running when the data is dropped\n");
        }
        pr_info!("dropped\n");
    }
}

/// Counts who is in there.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Data<'_> {
    /// Waits until the device is at rest.
    fn wait(&self) -> Result {
        read_poll_timeout(
            || Ok(self.edu.read32(COMMAND)),
            |command| command & RUN == 0,
            Delta::from_millis(10),
            Delta::from_millis(TIMEOUT),
        )?;
        Ok(())
    }

    /// A reset waits for the call that is running. Others fail until it is done, or can't be.
    fn reset(&self, dev: &pci::Device<Start<'_>>) -> Result {
        read_poll_timeout(
            || Ok(self.slow.load(Ordering::SeqCst)),
            |slow| *slow,
            Delta::from_millis(10),
            Delta::from_millis(TIMEOUT),
        )?;
        check!(dev.reset_and_set_master() == Err(ENOTTY));
        check!(!self.slow.load(Ordering::SeqCst));
        Ok(())
    }

    fn set_master(&self, dev: &pci::Device<Start<'_>>) -> Result {
        self.wait()?;
        // SAFETY: The run bit (bit 0 of the register at 0x98) is clear, as was just read, so the
        // device is at rest. It begins a transfer only when that is set again, after the addresses.
        unsafe { dev.set_master() };
        Ok(())
    }

    fn transfer(&self, from: u32, to: u32, len: usize, command: u32) -> Result {
        self.edu.write32(from, SOURCE);
        self.edu.write32(to, DESTINATION);
        self.edu.write32(u32::try_from(len)?, COUNT);
        self.edu.write32(RUN | command, COMMAND);
        self.wait()
    }

    fn copy(&self, data: &[u8]) -> Result {
        let word = |index: usize| -> Result<usize> {
            let bytes = data.get(index * 4..index * 4 + 4).ok_or(EINVAL)?;
            Ok(u32::from_ne_bytes(bytes.try_into().map_err(|_| EINVAL)?) as usize)
        };
        let (from, to, len) = (word(0)?, word(1)?, word(2)?);
        let end = from.max(to).checked_add(len).ok_or(EINVAL)?;
        if end > self.memory.size() || len == 0 || len > PAGE {
            return Err(EINVAL);
        }

        let _device = self.device.lock();
        let from = io_project!(&self.memory, [try: from..from + len]).dma_address();
        let to = io_project!(&self.memory, [try: to..to + len]).dma_address();
        self.transfer(u32::try_from(from)?, BUFFER, len, 0)?;
        self.transfer(BUFFER, u32::try_from(to)?, len, FROM_DEVICE)
    }

    /// What the CPU of the kernel sees of it is what user space has written.
    fn drop_memory(&self) -> Result {
        let memory = self.droppable.lock().take().ok_or(ENXIO)?;
        let mut first = [0; 4];
        io_project!(&memory, [try: 0..4]).copy_to_slice(&mut first);
        check!(first == *b"kept");
        let parked = self.dma.parked();
        let size = memory.size();
        drop(memory);
        check!(self.dma.parked().count == parked.count + 1);
        check!(self.dma.parked().bytes == parked.bytes + size);
        Ok(())
    }
}

#[vtable]
impl MiscHandler for Data<'_> {
    fn ioctl(&self, cmd: u32, arg: usize, data: &mut [u8]) -> Result<isize> {
        let _running = Running::new(&self.running);

        match cmd {
            COPY => {
                check!(data.len() == 12);
                self.copy(data)?;
                Ok(0)
            }
            ADD => {
                for byte in data {
                    *byte = byte.checked_add(1).ok_or(ERANGE)?;
                }
                Ok(7)
            }
            SLOW => {
                check!(data.is_empty() && arg == 123);
                self.slow.store(true, Ordering::SeqCst);
                fsleep(Delta::from_millis(1000));
                // The device has been told to stop, but it is still there.
                check!(self.edu.read32(ID) != u32::MAX);
                pr_info!("slow: {}\n", self.quiesced.load(Ordering::SeqCst));
                self.slow.store(false, Ordering::SeqCst);
                Ok(0)
            }
            KEPT => {
                check!(data.len() == 4 && data.iter().all(|byte| *byte == 0));
                data.copy_from_slice(&u32::try_from(self.dma.parked().count)?.to_ne_bytes());
                Ok(0)
            }
            DROP => {
                self.drop_memory()?;
                Ok(0)
            }
            _ => Err(ENOTTY),
        }
    }

    fn mmap(&self, area: MmapArea<'_>) -> Result {
        let _running = Running::new(&self.running);
        check!(area.size() % PAGE == 0 && area.size() != 0);

        match area.pgoff() {
            NOTHING => Ok(()),
            first if first >= DROPPABLE => {
                let droppable = self.droppable.lock();
                area.map(droppable.as_ref().ok_or(ENXIO)?, first - DROPPABLE)
            }
            first => area.map(&self.memory, first),
        }
    }
}

struct MiscCases;

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

/// Not the name of the module: the file of the second device is the second.
fn name(number: usize) -> Result<CString> {
    let name = CString::try_from_fmt(fmt!("edu-{number}"))?;
    Ok(name)
}

impl pci::Driver for MiscCases {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;

            check!(UserCoherent::zeroed(dma, 0).err() == Some(EINVAL));
            check!(UserCoherent::zeroed(dma, usize::MAX).err() == Some(ENOMEM));
            check!(UserCoherent::zeroed(dma, 1)?.size() == PAGE);
            let memory = UserCoherent::zeroed(dma, (PAGES - 1) * PAGE + 1)?;
            check!(memory.size() == PAGES * PAGE);
            let mut bytes = KVec::from_elem(1u8, PAGE, GFP_KERNEL)?;
            io_project!(&memory, [try: 0..PAGE]).copy_to_slice(&mut bytes);
            check!(bytes.iter().all(|byte| *byte == 0));

            // Dropped before anybody has mapped it, while the device can't master the bus.
            check!(dma.parked().count == 0);

            let droppable = UserCoherent::zeroed(dma, PAGE)?;
            let number = BOUND.fetch_add(1, Ordering::SeqCst);
            Ok(try_pin_init!(Data {
                dma,
                edu: dev.iomap_region_sized(0, c"misc_cases")?,
                misc: dev.new_misc()?,
                unused: dev.new_misc()?,
                droppable <- new_mutex!(Some(droppable)),
                memory,
                running: AtomicUsize::new(0),
                slow: AtomicBool::new(false),
                quiesced: AtomicBool::new(false),
                number,
                device <- new_mutex!(()),
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        data.set_master(dev)?;
        check!(dev.register_misc(&data.misc, c"", data) == Err(EINVAL));
        let long = CString::try_from_fmt(fmt!("{:064}", 1))?;
        check!(dev.register_misc(&data.misc, &*long, data) == Err(EINVAL));
        dev.register_misc(&data.misc, &*name(data.number)?, data)?;
        check!(dev.register_misc(&data.misc, c"edu-again", data) == Err(EBUSY));
        pr_info!("begin\n");
        if data.number == AGAIN {
            data.reset(dev)?;
        }
        // As if something had gone wrong: the file was there.
        if data.number == 1 {
            return Err(ENOSPC);
        }
        Ok(())
    }

    fn unbind<'bound>(_: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        data.quiesced.store(true, Ordering::SeqCst);
        let _ = &data.unused;
    }

    fn suspend<'bound>(_: &pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) -> Result {
        data.wait()
    }

    fn resume<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        pr_info!("resumed\n");
        data.get_ref().set_master(dev)
    }
}

kernel::module_pci_driver! {
    type: MiscCases,
    name: "misc_cases",
    authors: ["Seed dfb84e63 maintainers"],
    description: "Cases for misc devices",
    license: "GPL",
}
