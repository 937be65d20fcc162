// SPDX-License-Identifier: GPL-2.0

//! A platform driver that does DMA: for virtio's source of entropy, behind virtio-mmio.
//!
//! When it is bound, it has the device fill a buffer of 4 KiB a hundred times, and looks whether all
//! of it was filled, each time with something else. It does so again when it is resumed.
//!
//! The queue is in coherent memory, and the buffer in a streaming mapping, made once. The device
//! raises an interrupt when it has filled the buffer. The one `unsafe` block is the claim that the
//! device accesses nothing after a reset, in `probe` and in `unbind`: there is no bus that could
//! keep it from memory.
//!
//! To try it: `qemu-system-aarch64 -M virt -global virtio-mmio.force-legacy=false -device
//! virtio-rng-device,iommu_platform=on ...`
//!
//! Specification: Virtual I/O Device (VIRTIO) Version 1.2 ("spec" below), OASIS.

use kernel::{
    byteorder::{Le16, Le32, Le64},
    device::{Core, Start},
    dma::{Coherent, Dma, DmaAddress, DmaMask, FromDevice, Mapping},
    init::pin_init_scope,
    io::{io_project, io_read, io_write, mem::ExclusiveIoMem, poll::read_poll_timeout, Io},
    irq::{Flags, Handler, IrqRequest, IrqReturn},
    new_mutex, of, platform,
    prelude::*,
    sync::{
        barrier::{dma_mb, Read, Write},
        Completion, Mutex,
    },
    time::{msecs_to_jiffies, Delta, Msecs},
};

/// Spec, section 4.2.2: registers.
mod regs {
    pub(super) const MAGIC: usize = 0x000;
    /// "virt".
    pub(super) const MAGIC_VALUE: u32 = 0x7472_6976;
    pub(super) const VERSION: usize = 0x004;
    /// That of the specification's version 1.
    pub(super) const VERSION_VALUE: u32 = 2;
    /// Section 5: 0 is no device, 4 a source of entropy.
    pub(super) const DEVICE: usize = 0x008;
    pub(super) const DEVICE_ENTROPY: u32 = 4;
    /// What the device offers, and the driver accepts; 32 bits of it, which of them is selected.
    pub(super) const OFFERED: usize = 0x010;
    pub(super) const OFFERED_SELECT: usize = 0x014;
    pub(super) const ACCEPTED: usize = 0x020;
    pub(super) const ACCEPTED_SELECT: usize = 0x024;
    /// Section 6: VIRTIO_F_VERSION_1, bit 32, and VIRTIO_F_ACCESS_PLATFORM, bit 33: the device takes
    /// addresses as the platform gives them out, like other devices.
    pub(super) const FEATURES: [u32; 2] = [0, (1 << 0) | (1 << 1)];
    pub(super) const QUEUE_SELECT: usize = 0x030;
    pub(super) const QUEUE_SIZE_MAX: usize = 0x034;
    pub(super) const QUEUE_SIZE: usize = 0x038;
    pub(super) const QUEUE_READY: usize = 0x044;
    pub(super) const QUEUE_NOTIFY: usize = 0x050;
    /// Why there was an interrupt; what is written to the second is forgotten.
    pub(super) const INTERRUPT_STATUS: usize = 0x060;
    pub(super) const INTERRUPT_ACK: usize = 0x064;
    /// Section 2.1. To write 0 resets the device.
    pub(super) const STATUS: usize = 0x070;
    pub(super) const STATUS_ACKNOWLEDGE: u32 = 1 << 0;
    pub(super) const STATUS_DRIVER: u32 = 1 << 1;
    pub(super) const STATUS_DRIVER_OK: u32 = 1 << 2;
    pub(super) const STATUS_FEATURES_OK: u32 = 1 << 3;
    /// Addresses, in two halves.
    pub(super) const QUEUE_DESCRIPTORS: [usize; 2] = [0x080, 0x084];
    pub(super) const QUEUE_AVAILABLE: [usize; 2] = [0x090, 0x094];
    pub(super) const QUEUE_USED: [usize; 2] = [0x0a0, 0x0a4];

    pub(super) const SIZE: usize = 0x100;
}

type Registers<'bound> = ExclusiveIoMem<'bound, { regs::SIZE }>;

/// How long the device may take for anything. It is emulated, maybe on a busy machine.
const TIMEOUT: Msecs = 30_000;

/// Entries of the queue.
const ENTRIES: usize = 8;

const BUFFER_SIZE: usize = 4096;

/// Of as many random bytes, 16 are 0 on an average.
const ZEROES: usize = 100;

const TIMES: usize = 100;

kernel::dma_struct! {
    /// Spec, section 2.7.5.
    #[derive(Clone, Copy)]
    struct Descriptor {
        address: Le64,
        length: Le32,
        flags: Le16,
        next: Le16,
    }

    /// Spec, section 2.7.6, and what aligns the one behind it.
    struct Available {
        flags: Le16,
        index: Le16,
        ring: [Le16; ENTRIES],
        used_event: Le16,
        reserved: Le16,
    }

    /// Spec, section 2.7.8.
    #[derive(Clone, Copy)]
    struct UsedElement {
        id: Le32,
        length: Le32,
    }

    struct Used {
        flags: Le16,
        index: Le16,
        ring: [UsedElement; ENTRIES],
        available_event: Le16,
        reserved: Le16,
    }

    /// Spec, section 2.7. Each part is aligned as it says, to 16, 2 and 4 bytes.
    struct Queue {
        descriptors: [Descriptor; ENTRIES],
        available: Available,
        used: Used,
    }
}

/// Spec, section 2.7.5: the device writes to the buffer.
const WRITE: u16 = 1 << 1;

struct Buffer<'bound> {
    memory: Mapping<'bound, KVec<u8>, FromDevice>,
    /// What came last.
    last: KVec<u8>,
    /// How many buffers the device was given since its reset, as it counts them.
    given: u16,
}

#[pin_data]
struct Data<'bound> {
    regs: Registers<'bound>,
    irq: IrqRequest<'bound>,
    dma: Dma<'bound>,
    queue: Coherent<'bound, Queue>,
    #[pin]
    buffer: Mutex<Buffer<'bound>>,
    #[pin]
    filled: Completion,
}

impl Handler for Data<'_> {
    fn handle(&self) -> IrqReturn {
        match self.regs.read32(regs::INTERRUPT_STATUS) {
            0 => IrqReturn::None,
            reasons => {
                self.regs.write32(reasons, regs::INTERRUPT_ACK);
                self.filled.complete();
                IrqReturn::Handled
            }
        }
    }
}

/// Spec, section 2.4: resets the device, and waits until it has done so.
fn reset(regs: &Registers<'_>) -> Result {
    regs.write32(0, regs::STATUS);
    read_poll_timeout(
        || Ok(regs.read32(regs::STATUS)),
        |status| *status == 0,
        Delta::from_millis(1),
        Delta::from_millis(TIMEOUT.into()),
    )?;
    Ok(())
}

/// Resets the device, when no queue was given to it, or none will be.
fn bring_to_rest(dev: &platform::Device<Core<'_>>, regs: &Registers<'_>) -> Result {
    reset(regs)?;

    // SAFETY: Spec, section 2.4.1: when it has completed the reset, which is so since no bit of its
    // status was set, the device does not interact with queues. It holds no other address. `start`
    // is the first to give it a queue, and nothing does after `unbind` was called: the handler only
    // acknowledges interrupts.
    unsafe { dev.assume_quiesced(|_| ()) };
    Ok(())
}

impl Data<'_> {
    fn write_address(&self, address: DmaAddress, [low, high]: [usize; 2]) -> Result {
        self.regs.try_write32(address as u32, low)?;
        self.regs.try_write32((address >> 32) as u32, high)
    }

    /// Spec, sections 3.1.1 and 4.2.3.2: resets the device, and has it use the queue.
    ///
    /// After an error, the device is at rest.
    fn bring_up(&self) -> Result {
        self.try_bring_up().inspect_err(|_| {
            let _ = reset(&self.regs);
        })
    }

    fn try_bring_up(&self) -> Result {
        let regs = &self.regs;
        reset(regs)?;

        let mut status = regs::STATUS_ACKNOWLEDGE | regs::STATUS_DRIVER;
        regs.write32(status, regs::STATUS);
        for (select, wanted) in regs::FEATURES.into_iter().enumerate() {
            let select = select as u32;
            regs.write32(select, regs::OFFERED_SELECT);
            regs.write32(select, regs::ACCEPTED_SELECT);
            if regs.read32(regs::OFFERED) & wanted != wanted {
                return Err(ENODEV);
            }
            regs.write32(wanted, regs::ACCEPTED);
        }
        status |= regs::STATUS_FEATURES_OK;
        regs.write32(status, regs::STATUS);
        if regs.read32(regs::STATUS) & regs::STATUS_FEATURES_OK == 0 {
            return Err(ENODEV);
        }

        io_write!(self.queue, .available.index, Le16::from_cpu(0));
        io_write!(self.queue, .used.index, Le16::from_cpu(0));
        self.buffer.lock().given = 0;

        regs.write32(0, regs::QUEUE_SELECT);
        if regs.read32(regs::QUEUE_READY) != 0 || regs.read32(regs::QUEUE_SIZE_MAX) < ENTRIES as u32
        {
            return Err(ENODEV);
        }
        regs.write32(ENTRIES as u32, regs::QUEUE_SIZE);
        let queue = &self.queue;
        self.write_address(queue.dma_address(), regs::QUEUE_DESCRIPTORS)?;
        self.write_address(
            io_project!(queue, .available).dma_address(),
            regs::QUEUE_AVAILABLE,
        )?;
        self.write_address(io_project!(queue, .used).dma_address(), regs::QUEUE_USED)?;
        regs.write32(1, regs::QUEUE_READY);

        regs.write32(status | regs::STATUS_DRIVER_OK, regs::STATUS);
        Ok(())
    }

    /// Has the device fill the buffer once, and looks at what came.
    fn fill(&self) -> Result {
        let mut buffer = self.buffer.lock();
        let entry = usize::from(buffer.given) % ENTRIES;
        buffer.given = buffer.given.wrapping_add(1);

        let descriptor = Descriptor {
            address: Le64::from_cpu(buffer.memory.dma_address()),
            length: Le32::from_cpu(BUFFER_SIZE as u32),
            flags: Le16::from_cpu(WRITE),
            next: Le16::from_cpu(0),
        };
        io_project!(self.queue, .descriptors[try: entry]).copy_write(descriptor);
        io_write!(self.queue, .available.ring[try: entry], Le16::from_cpu(entry as u16));
        // Spec, section 2.7.13: the device sees the entry before the index.
        dma_mb(Write);
        io_write!(self.queue, .available.index, Le16::from_cpu(buffer.given));
        self.regs.write32(0, regs::QUEUE_NOTIFY);

        // There may be a few interrupts that are not for this: of before a reset, say.
        let mut filled = false;
        for _ in 0..ENTRIES {
            let timeout = msecs_to_jiffies(TIMEOUT);
            self.filled.wait_for_completion_killable_timeout(timeout)?;
            filled = io_read!(self.queue, .used.index).to_cpu() == buffer.given;
            if filled {
                break;
            }
        }
        if !filled {
            return Err(EIO);
        }
        dma_mb(Read);
        let element = io_project!(self.queue, .used.ring[try: entry]).copy_read();
        let (id, length) = (element.id.to_cpu(), element.length.to_cpu());
        if (id as usize, length as usize) != (entry, BUFFER_SIZE) {
            return Err(EIO);
        }

        let mut bytes = KVec::from_elem(0, BUFFER_SIZE, GFP_KERNEL)?;
        io_project!(buffer.memory.for_cpu(), [try: ..BUFFER_SIZE]).copy_to_slice(&mut bytes);
        let zeroes = bytes.iter().filter(|byte| **byte == 0).count();
        if zeroes > ZEROES || bytes[..] == buffer.last[..] {
            return Err(EIO);
        }
        buffer.last = bytes;
        Ok(())
    }

    fn fill_all(&self, dev: &platform::Device) -> Result {
        let bytes = TIMES * BUFFER_SIZE;

        for _ in 0..TIMES {
            self.fill()?;
        }
        dev_info!(dev, "filled {TIMES} times, {bytes} bytes\n");
        Ok(())
    }
}

struct RustVirtioRng;

kernel::of_device_table!(TABLE, (), [(of::DeviceId::new(c"virtio,mmio"), ())]);

impl platform::Driver for RustVirtioRng {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const OF_ID_TABLE: Option<of::IdTable<()>> = Some(&TABLE);

    fn probe<'bound>(
        dev: &'bound platform::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let regs = dev.io_request_by_index(0).ok_or(ENODEV)?;
            let regs: Registers<'_> = regs.iomap_exclusive_sized()?;
            if regs.read32(regs::MAGIC) != regs::MAGIC_VALUE
                || regs.read32(regs::VERSION) != regs::VERSION_VALUE
                || regs.read32(regs::DEVICE) != regs::DEVICE_ENTROPY
            {
                return Err(ENODEV);
            }
            bring_to_rest(dev, &regs)?;
            let irq = dev.irq_by_index(0)?;

            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<64>())?;
            let dma = setup.finish()?;

            let memory = KVec::from_elem(0, BUFFER_SIZE, GFP_KERNEL)?;
            let buffer = Buffer {
                memory: Mapping::new(dma, memory)?,
                last: KVec::new(),
                given: 0,
            };
            Ok(try_pin_init!(Data {
                regs,
                irq,
                dma,
                queue: Coherent::zeroed(dma, GFP_KERNEL)?,
                buffer <- new_mutex!(buffer),
                filled <- Completion::new(),
            }))
        })
    }

    fn start<'data>(dev: &platform::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();

        dev.request_irq(&data.irq, Flags::TRIGGER_NONE, dev.as_ref().name(), data)?;
        data.bring_up()?;
        data.fill_all(dev)
    }

    fn unbind<'bound>(dev: &'bound platform::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        if let Err(error) = bring_to_rest(dev, &data.regs) {
            dev_err!(dev, "can't be reset: {error:?}\n");
        }
        dev_info!(dev, "goodbye: {} parked\n", data.dma.parked().count);
    }

    fn suspend<'bound>(_: &platform::Device<Core<'_>>, data: Pin<&Data<'bound>>) -> Result {
        reset(&data.regs)
    }

    fn resume<'data>(dev: &platform::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        data.bring_up()?;
        dev.unmute_irqs();
        data.fill_all(dev).inspect_err(|_| {
            let _ = reset(&data.regs);
        })
    }

    fn shutdown<'bound>(dev: &platform::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        if let Err(error) = reset(&data.regs) {
            dev_err!(dev, "can't be reset: {error:?}\n");
        }
    }
}

kernel::module_platform_driver! {
    type: RustVirtioRng,
    name: "rust_virtio_rng",
    authors: ["the maintainers"],
    description: "Driver for virtio's source of entropy",
    license: "GPL",
}
