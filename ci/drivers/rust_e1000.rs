// SPDX-License-Identifier: GPL-2.0

//! A PCI driver that does DMA in both directions at once: for Intel's 82540EM, an Ethernet
//! controller.
//!
//! It is no network driver: it sends frames of its own, and takes those that come. When it is bound,
//! it asks for the hardware address of 10.0.2.2, as whom QEMU's user network answers, and logs what
//! it is told. Then it does so 10,000 times more, each time for another address of its own, by which
//! it tells the answers apart; all must come, in order. From then on each answer is answered by the
//! next question, until the driver is unbound. So that finds the device with frames under way.
//!
//! Rings of descriptors are in coherent memory, and frames in streaming mappings. Those are made
//! once: what is to be sent is copied to one, and what was received from one. So the one `unsafe`
//! block is the claim that the device holds no address of before, when it may master the bus.
//!
//! The sender, which runs in `start`, and the handler of the interrupt share all of that, by a
//! [`SpinLockIrq`]. The handler makes room in the ring, and the sender waits for it.
//!
//! To try it: `qemu-system-x86_64 -nic user,model=e1000 ...`
//!
//! Specification: PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual
//! ("SDM" below), Intel 317453.

use kernel::{
    byteorder::{Le16, Le64},
    device::{Core, Start},
    dma::{Coherent, Direction, Dma, DmaMask, FromDevice, Mapping, Plain, ToDevice},
    fmt,
    init::pin_init_scope,
    io::{io_project, io_read, poll::read_poll_timeout, Io},
    irq::{Flags, Handler, IrqReturn},
    new_condvar, new_spinlock_irq,
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    str::CString,
    sync::{
        barrier::{dma_mb, Full, Read},
        CondVar, CondVarTimeoutResult, SpinLockIrq, SpinLockIrqGuard,
    },
    time::{delay::fsleep, msecs_to_jiffies, Delta, Msecs},
};

/// SDM, chapter 13: registers, in BAR 0.
mod regs {
    /// Device control.
    pub(super) const CTRL: usize = 0x0000;
    /// The speed is detected, and the link is up when the PHY has one.
    pub(super) const CTRL_ASDE: u32 = 1 << 5;
    pub(super) const CTRL_SLU: u32 = 1 << 6;
    pub(super) const CTRL_RST: u32 = 1 << 26;

    /// Device status.
    pub(super) const STATUS: usize = 0x0008;
    pub(super) const STATUS_LU: u32 = 1 << 1;

    /// Interrupt causes. To read them clears them.
    pub(super) const ICR: usize = 0x00c0;
    /// The least time between two interrupts, in 256 ns.
    pub(super) const ITR: usize = 0x00c4;
    /// Which causes raise the interrupt: those that are set, and cleared, by bits that are 1.
    pub(super) const IMS: usize = 0x00d0;
    pub(super) const IMC: usize = 0x00d8;
    /// A descriptor was written back; the receiver has few left, has none left, has a frame.
    pub(super) const CAUSES: u32 = (1 << 0) | (1 << 4) | (1 << 6) | (1 << 7);

    /// Receive control.
    pub(super) const RCTL: usize = 0x0100;
    pub(super) const RCTL_EN: u32 = 1 << 1;
    /// Broadcasts are accepted; buffers of 2048 bytes, which is 0; no checksum of the frame.
    pub(super) const RCTL_BAM: u32 = 1 << 15;
    pub(super) const RCTL_SECRC: u32 = 1 << 26;

    /// Transmit control.
    pub(super) const TCTL: usize = 0x0400;
    pub(super) const TCTL_EN: u32 = 1 << 1;
    /// Short frames are padded; the collision threshold and distance of full duplex.
    pub(super) const TCTL_PSP: u32 = 1 << 3;
    pub(super) const TCTL_COLLISIONS: u32 = (0x0f << 4) | (0x40 << 12);
    /// The gaps between frames, with copper.
    pub(super) const TIPG: usize = 0x0410;
    pub(super) const TIPG_COPPER: u32 = 10 | (8 << 10) | (6 << 20);

    /// A ring: its address in two halves, its size in bytes, its head and its tail.
    pub(super) struct Ring {
        pub(super) low: usize,
        pub(super) high: usize,
        pub(super) size: usize,
        pub(super) head: usize,
        pub(super) tail: usize,
    }

    const fn ring(at: usize) -> Ring {
        Ring {
            low: at,
            high: at + 0x04,
            size: at + 0x08,
            head: at + 0x10,
            tail: at + 0x18,
        }
    }

    pub(super) const RECEIVE: Ring = ring(0x2800);
    pub(super) const TRANSMIT: Ring = ring(0x3800);

    /// Good frames received, and transmitted. To read them clears them.
    pub(super) const GPRC: usize = 0x4074;
    pub(super) const GPTC: usize = 0x4080;

    /// The filter of multicast addresses, 128 words.
    pub(super) const MTA: usize = 0x5200;
    pub(super) const MTA_WORDS: usize = 128;

    /// The first receive address, which the device has from its EEPROM after a reset.
    pub(super) const RAL: usize = 0x5400;
    pub(super) const RAH: usize = 0x5404;
    pub(super) const RAH_AV: u32 = 1 << 31;

    pub(super) const SIZE: usize = 0x5800;
}

type Registers<'bound> = pci::Bar<'bound, { regs::SIZE }>;

/// How long the device may take for anything. It is emulated, maybe on a busy machine.
const TIMEOUT: Msecs = 30_000;

/// Entries of each ring. A multiple of 8; SDM, chapter 13, on RDLEN and TDLEN.
const ENTRIES: usize = 128;

/// The size that the receiver is told.
const BUFFER_SIZE: usize = 2048;

/// A millisecond between interrupts.
const THROTTLE: u32 = 1_000_000 / 256;

const FRAMES: u32 = 10_000;

/// How many questions are under way while each answer is answered by another one.
const LOAD: u32 = 32;

kernel::dma_struct! {
    /// SDM, section 3.2.3.
    #[derive(Clone, Copy, Default)]
    struct Received {
        address: Le64,
        length: Le16,
        checksum: Le16,
        /// Written last.
        status: u8,
        errors: u8,
        special: Le16,
    }

    /// SDM, section 3.3.3, in the legacy format.
    #[derive(Clone, Copy, Default)]
    struct Sent {
        address: Le64,
        length: Le16,
        checksum_offset: u8,
        command: u8,
        /// Written when the frame has been fetched.
        status: u8,
        checksum_start: u8,
        special: Le16,
    }
}

/// The device is done with a descriptor, of either kind.
const DONE: u8 = 1 << 0;
/// In the status of a frame received: its end is in this descriptor.
const END: u8 = 1 << 1;

/// In the command of a frame to be sent: it ends here, gets its checksum, and the status is wanted.
const COMMAND: u8 = (1 << 0) | (1 << 1) | (1 << 3);

/// ARP over Ethernet, RFC 826, padded to the least length of a frame.
mod arp {
    pub(super) const LEN: usize = 60;
    pub(super) const GATEWAY: [u8; 4] = [10, 0, 2, 2];

    const HEADER: [u8; 9] = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0];

    /// The address by which an answer is told from others.
    fn address(number: u16) -> [u8; 4] {
        let [high, low] = number.to_be_bytes();
        [10, 9, high, low]
    }

    /// "Who has 10.0.2.2? Tell 10.9.x.y."
    pub(super) fn question(mac: [u8; 6], number: u16) -> [u8; LEN] {
        let mut frame = [0; LEN];
        frame[..6].fill(0xff);
        frame[6..12].copy_from_slice(&mac);
        frame[12..21].copy_from_slice(&HEADER);
        frame[21] = 1;
        frame[22..28].copy_from_slice(&mac);
        frame[28..32].copy_from_slice(&address(number));
        frame[38..42].copy_from_slice(&GATEWAY);
        frame
    }

    /// Who answered, if it is the answer to this question.
    pub(super) fn answer(frame: &[u8; LEN], mac: [u8; 6], number: u16) -> Option<[u8; 6]> {
        let mut from = [0; 6];
        from.copy_from_slice(&frame[22..28]);
        let good = frame[..6] == mac
            && frame[6..12] == from
            && frame[12..21] == HEADER
            && frame[21] == 2
            && frame[28..32] == GATEWAY
            && frame[32..38] == mac
            && frame[38..42] == address(number);
        good.then_some(from)
    }
}

/// A ring of descriptors, and the buffer of each.
struct Ring<'bound, T, D: Direction>
where
    [T]: Plain,
{
    descriptors: Coherent<'bound, [T]>,
    buffers: KVec<Mapping<'bound, KVec<u8>, D>>,
    /// The first that the device may have.
    head: usize,
    /// The first that it may not.
    tail: usize,
}

fn after(number: usize) -> usize {
    (number + 1) % ENTRIES
}

impl<'bound, T: Plain, D: Direction> Ring<'bound, T, D>
where
    [T]: Plain,
{
    fn new(dma: Dma<'bound>) -> Result<Self> {
        let mut buffers = KVec::with_capacity(ENTRIES, GFP_KERNEL)?;
        for _ in 0..ENTRIES {
            let buffer = KVec::from_elem(0, BUFFER_SIZE, GFP_KERNEL)?;
            buffers.push(Mapping::new(dma, buffer)?, GFP_KERNEL)?;
        }
        Ok(Self {
            descriptors: Coherent::zeroed_slice(dma, ENTRIES, GFP_KERNEL)?,
            buffers,
            head: 0,
            tail: 0,
        })
    }

    /// Tells the device where it is.
    fn announce(&self, regs: &Registers<'_>, ring: &regs::Ring) -> Result {
        let address = self.descriptors.dma_address();
        regs.try_write32(address as u32, ring.low)?;
        regs.try_write32((address >> 32) as u32, ring.high)?;
        regs.try_write32(self.descriptors.size() as u32, ring.size)?;
        regs.try_write32(0, ring.head)?;
        regs.try_write32(0, ring.tail)
    }
}

/// All that the sender and the handler share.
struct Rings<'bound> {
    receive: Ring<'bound, Received, FromDevice>,
    transmit: Ring<'bound, Sent, ToDevice>,
    /// How many questions were asked, and answered.
    asked: u32,
    answered: u32,
    /// Frames that are no answer to the next question.
    other: u32,
    /// Who answered.
    gateway: [u8; 6],
    /// Whether an answer is answered.
    load: bool,
    failed: Result,
}

#[pin_data]
struct Data<'bound> {
    regs: Registers<'bound>,
    vectors: pci::IrqVectorRegistration<'bound>,
    dma: Dma<'bound>,
    mac: [u8; 6],
    #[pin]
    rings: SpinLockIrq<Rings<'bound>>,
    /// Notified when the handler has changed them.
    #[pin]
    changed: CondVar,
}

struct RustE1000;

// As QEMU has it, 82540EM.
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::INTEL, 0x100e);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);

impl pci::Driver for RustE1000 {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let regs: Registers<'_> = dev.iomap_region_sized(0, c"rust_e1000")?;
            reset(&regs)?;
            let mac = address(&regs)?;

            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<64>())?;
            let dma = setup.finish()?;
            let vectors = dev.alloc_irq_vectors(1, 1, IrqTypes::default().with(IrqType::Intx))?;

            let rings = Rings {
                receive: Ring::new(dma)?,
                transmit: Ring::new(dma)?,
                asked: 0,
                answered: 0,
                other: 0,
                gateway: [0; 6],
                load: false,
                failed: Ok(()),
            };
            Ok(try_pin_init!(Data {
                regs,
                vectors,
                dma,
                mac,
                rings <- new_spinlock_irq!(rings),
                changed <- new_condvar!(),
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        if data.is_enabled() {
            return Err(EBUSY);
        }

        // SAFETY: EN, bit 1, is clear in RCTL and in TCTL, as was just read, after a reset. The
        // device fetches no descriptor before it is set, and then `run` has written where they are.
        unsafe { dev.set_master() };

        let name = CString::try_from_fmt(fmt!("rust_e1000 {}", dev.as_ref().name()))?;
        dev.request_irq(data.vectors.index(0)?, Flags::SHARED, &name, data)?;
        data.run()?;

        data.ask(1)?;
        data.answers(1)?;
        let gateway = data.rings.lock().gateway;
        dev_info!(dev, "10.0.2.2 is at {gateway:02x?}\n");

        data.ask(FRAMES)?;
        data.answers(1 + FRAMES)?;
        dev_info!(
            dev,
            "asked {FRAMES} times, all answered; the device sent {} frames, received {}\n",
            data.regs.read32(regs::GPTC),
            data.regs.read32(regs::GPRC),
        );

        data.rings.lock().load = true;
        data.ask(LOAD)
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let mut rings = data.rings.lock();
        rings.load = false;
        data.stop();
        let (asked, answered, other) = (rings.asked, rings.answered, rings.other);
        drop(rings);

        dev_info!(
            dev,
            "goodbye: asked {asked} times, {answered} answered, {other} other frames, {} bytes parked\n",
            data.dma.parked().bytes,
        );
    }
}

/// SDM, section 14.3: resets the device, and has its link come up.
fn reset(regs: &Registers<'_>) -> Result {
    regs.write32(u32::MAX, regs::IMC);
    regs.write32(0, regs::RCTL);
    regs.write32(0, regs::TCTL);
    // What is under way on the bus ends before the reset.
    fsleep(Delta::from_millis(10));

    regs.write32(regs::CTRL_RST, regs::CTRL);
    // It may not be accessed at first, and reads its EEPROM.
    fsleep(Delta::from_millis(20));
    wait(regs, regs::CTRL, regs::CTRL_RST, 0)?;
    regs.write32(u32::MAX, regs::IMC);

    regs.write32(regs::CTRL_ASDE | regs::CTRL_SLU, regs::CTRL);
    wait(regs, regs::STATUS, regs::STATUS_LU, regs::STATUS_LU)
}

/// Waits until the bits of a register that are in `mask` are those in `value`.
fn wait(regs: &Registers<'_>, register: usize, mask: u32, value: u32) -> Result {
    read_poll_timeout(
        || match regs.try_read32(register)? {
            u32::MAX => Err(ENODEV),
            found => Ok(found),
        },
        |found| found & mask == value,
        Delta::from_millis(10),
        Delta::from_millis(TIMEOUT.into()),
    )?;
    Ok(())
}

/// The address of the device.
fn address(regs: &Registers<'_>) -> Result<[u8; 6]> {
    let (low, high) = (regs.read32(regs::RAL), regs.read32(regs::RAH));
    if high & regs::RAH_AV == 0 {
        return Err(ENODEV);
    }
    let ([a, b, c, d], [e, f, ..]) = (low.to_le_bytes(), high.to_le_bytes());
    Ok([a, b, c, d, e, f])
}

impl<'bound> Data<'bound> {
    /// Whether the device receives, or transmits.
    fn is_enabled(&self) -> bool {
        self.regs.read32(regs::RCTL) & regs::RCTL_EN != 0
            || self.regs.read32(regs::TCTL) & regs::TCTL_EN != 0
    }

    /// SDM, sections 14.4 and 14.5: has the device receive and transmit, and raise its interrupt.
    fn run(&self) -> Result {
        let mut rings = self.rings.lock();

        for word in 0..regs::MTA_WORDS {
            self.regs.try_write32(0, regs::MTA + 4 * word)?;
        }
        rings.receive.announce(&self.regs, &regs::RECEIVE)?;
        rings.transmit.announce(&self.regs, &regs::TRANSMIT)?;
        for at in 0..ENTRIES {
            rings.receive.give(at)?;
        }
        // All but one: a ring whose tail is its head is empty.
        rings.receive.tail = ENTRIES - 1;

        // What was counted before; a reset need not clear it.
        self.regs.read32(regs::GPTC);
        self.regs.read32(regs::GPRC);

        self.regs.write32(THROTTLE, regs::ITR);
        self.regs.write32(regs::TIPG_COPPER, regs::TIPG);
        self.regs.write32(
            regs::TCTL_EN | regs::TCTL_PSP | regs::TCTL_COLLISIONS,
            regs::TCTL,
        );
        self.regs.write32(
            regs::RCTL_EN | regs::RCTL_BAM | regs::RCTL_SECRC,
            regs::RCTL,
        );
        self.regs
            .write32(rings.receive.tail as u32, regs::RECEIVE.tail);
        self.regs.write32(regs::CAUSES, regs::IMS);
        Ok(())
    }

    /// Has the device do nothing more.
    fn stop(&self) {
        self.regs.write32(u32::MAX, regs::IMC);
        self.regs.write32(0, regs::RCTL);
        self.regs.write32(0, regs::TCTL);
        self.regs.read32(regs::STATUS);
    }

    /// Waits until the handler has changed something.
    fn wait(&self, rings: &mut SpinLockIrqGuard<'_, Rings<'bound>>) -> Result {
        let timeout = msecs_to_jiffies(TIMEOUT);
        match self.changed.wait_interruptible_timeout(rings, timeout) {
            CondVarTimeoutResult::Woken { .. } => rings.failed,
            CondVarTimeoutResult::Timeout => Err(ETIMEDOUT),
            CondVarTimeoutResult::Signal { .. } => Err(EINTR),
        }
    }

    /// Asks questions, and waits for room in the ring.
    fn ask(&self, count: u32) -> Result {
        for _ in 0..count {
            let mut rings = self.rings.lock();
            while rings.transmit.is_full() {
                self.wait(&mut rings)?;
            }
            self.ask_one(&mut rings)?;
        }
        Ok(())
    }

    /// Asks a question.
    fn ask_one(&self, rings: &mut Rings<'_>) -> Result {
        let question = arp::question(self.mac, rings.asked as u16);
        rings.transmit.send(&question)?;
        rings.asked += 1;

        // This orders the writes of the descriptor and the frame before that of the register.
        self.regs
            .write32(rings.transmit.tail as u32, regs::TRANSMIT.tail);
        Ok(())
    }

    /// Waits until so many were answered, and nothing else came.
    fn answers(&self, count: u32) -> Result {
        let mut rings = self.rings.lock();
        while rings.answered < count {
            self.wait(&mut rings)?;
        }
        if rings.other != 0 {
            return Err(EIO);
        }
        Ok(())
    }

    /// Takes what the device is done with.
    fn take(&self, rings: &mut Rings<'_>) -> Result {
        rings.transmit.reclaim()?;
        let (before, answered) = (rings.receive.tail, rings.answered);
        while let Some(frame) = rings.receive.take()? {
            match arp::answer(&frame, self.mac, rings.answered as u16) {
                Some(gateway) => {
                    rings.gateway = gateway;
                    rings.answered += 1;
                }
                None => rings.other += 1,
            }
        }
        if rings.receive.tail != before {
            // What was read of the buffers is not to be read later, when the device writes to them.
            dma_mb(Full);
            self.regs
                .write32(rings.receive.tail as u32, regs::RECEIVE.tail);
        }

        // Not above: who answers at once would keep this there. These answers raise the interrupt
        // again, as its causes were read before.
        if rings.load {
            for _ in answered..rings.answered {
                self.ask_one(rings)?;
            }
        }
        Ok(())
    }
}

impl Handler for Data<'_> {
    fn handle(&self) -> IrqReturn {
        let causes = self.regs.read32(regs::ICR);
        if causes == 0 || causes == u32::MAX {
            return IrqReturn::None;
        }

        let mut rings = self.rings.lock();
        if let Err(error) = self.take(&mut rings) {
            rings.failed = Err(error);
            self.stop();
        }
        drop(rings);
        self.changed.notify_all();
        IrqReturn::Handled
    }
}

impl Ring<'_, Received, FromDevice> {
    /// Makes a descriptor ready for the device.
    fn give(&self, at: usize) -> Result {
        let buffer = self.buffers.get(at).ok_or(EINVAL)?;
        io_project!(self.descriptors, [try: at]).copy_write(Received {
            address: buffer.dma_address().into(),
            ..Received::default()
        });
        Ok(())
    }

    /// The beginning of the next frame that was received, if there is one. What is longer than that
    /// is not for this driver, and what has errors was not accepted.
    fn take(&mut self) -> Result<Option<[u8; arp::LEN]>> {
        let at = self.head;
        let entry = io_project!(self.descriptors, [try: at]);
        let status = io_read!(entry, .status);
        if status & DONE == 0 {
            return Ok(None);
        }

        // The rest of the descriptor is to be read after its status, and so is the frame.
        dma_mb(Read);
        let length = usize::from(io_read!(entry, .length).to_cpu());
        let mut frame = [0; arp::LEN];
        if status & END != 0 && length >= arp::LEN {
            self.buffers
                .get_mut(at)
                .ok_or(EINVAL)?
                .for_cpu_bytes(0..arp::LEN)?
                .copy_to_slice(&mut frame);
        }

        // The device gets it when the tail passes it.
        self.give(at)?;
        self.tail = at;
        self.head = after(at);
        Ok(Some(frame))
    }
}

impl Ring<'_, Sent, ToDevice> {
    fn is_full(&self) -> bool {
        after(self.tail) == self.head
    }

    /// Puts a frame into the ring, which must not be full.
    fn send(&mut self, frame: &[u8]) -> Result {
        let at = self.tail;
        let buffer = self.buffers.get_mut(at).ok_or(EINVAL)?;
        buffer.for_cpu_bytes(0..frame.len())?.copy_from_slice(frame);
        io_project!(self.descriptors, [try: at]).copy_write(Sent {
            address: buffer.dma_address().into(),
            length: u16::try_from(frame.len())?.into(),
            command: COMMAND,
            ..Sent::default()
        });
        self.tail = after(at);
        Ok(())
    }

    /// Takes back the descriptors of frames that were sent.
    fn reclaim(&mut self) -> Result {
        while self.head != self.tail {
            let entry = io_project!(self.descriptors, [try: self.head]);
            if io_read!(entry, .status) & DONE == 0 {
                break;
            }
            self.head = after(self.head);
        }
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: RustE1000,
    name: "rust_e1000",
    author: "Seed dfb84e63 maintainers",
    description: "Test of DMA in both directions, on an 82540EM",
    license: "GPL",
}
