// SPDX-License-Identifier: GPL-2.0

//! A driver for QEMU's `edu` that calls the interface at random.
//!
//! Each binding does what its [`Plan`] says: a number of operations, which chance chose from a
//! seed. What memory should hold is known, and compared: after the device has copied to it, too. A
//! failure is printed with the seed and the number of the operation.
//!
//! `unsafe` stands for claims alone, that the device has finished; but for `several.rs`, which is
//! that of ci/cases.

use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    device::{Core, Start},
    dma::{Coherent, Dma, DmaAddress, DmaMask, Parked},
    init::pin_init_scope,
    io::{poll::read_poll_timeout, Io},
    irq::{Flags, Handler, IrqReturn},
    new_mutex, new_spinlock_irq,
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    sync::{Completion, Mutex, SpinLockIrq},
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

/// Ends an operation, as failed, unless `$condition` holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            kernel::pr_err!(
                "FAILED: {}:{}: {}\n",
                file!(),
                line!(),
                stringify!($condition)
            );
            return Err(kernel::error::code::EIO);
        }
    };
}

mod make;
mod memory;
mod order;
mod plan;
mod random;
mod several;
mod world;

use order::Order;
use plan::Plan;
use random::Random;
use world::World;

/// How many do operations at the same time, for one device.
const WORKERS: usize = 2;
/// How many operations each of them does until what is there is compared.
const ROUND: usize = 24;
/// How long the device may take for anything, in milliseconds.
const TIMEOUT: u32 = 20_000;

/// The registers of the device. Reading one has no other effect.
struct Regs<'bound>(pci::Bar<'bound, 0xa0>);

impl Regs<'_> {
    const STATUS: usize = 0x24;
    const RAISE: usize = 0x60;
    const ACKNOWLEDGE: usize = 0x64;
    const SOURCE: usize = 0x80;
    const DESTINATION: usize = 0x88;
    const COUNT: usize = 0x90;
    const COMMAND: usize = 0x98;
    const RUN: u32 = 1;
    const STORE: u32 = 2;
    const RAISE_WHEN_DONE: u32 = 4;
    const BUFFER: usize = 0x4_0000;

    /// Starts a transfer, from memory to the device or the other way round.
    fn begin(
        &self,
        memory: DmaAddress,
        at: usize,
        len: usize,
        stores: bool,
        raises: bool,
    ) -> Result {
        let (memory, at) = (u32::try_from(memory)?, u32::try_from(Self::BUFFER + at)?);
        let (from, to) = if stores { (at, memory) } else { (memory, at) };
        self.0.write32(from, Self::SOURCE);
        self.0.write32(to, Self::DESTINATION);
        self.0.write32(u32::try_from(len)?, Self::COUNT);
        let raise = if raises { Self::RAISE_WHEN_DONE } else { 0 };
        let store = if stores { Self::STORE } else { 0 };
        self.0.write32(Self::RUN | store | raise, Self::COMMAND);
        Ok(())
    }

    fn is_running(&self) -> bool {
        self.0.read32(Self::COMMAND) & Self::RUN != 0
    }

    /// Waits until the run bit is clear.
    fn wait(&self) -> Result {
        read_poll_timeout(
            || Ok(self.is_running()),
            |running| !running,
            Delta::from_millis(1),
            Delta::from_millis(TIMEOUT.into()),
        )?;
        Ok(())
    }

    /// Has the device stop raising its interrupt; whether it did.
    fn acknowledge(&self) -> bool {
        let reasons = self.0.read32(Self::STATUS);
        self.0.write32(reasons, Self::ACKNOWLEDGE);
        reasons != 0
    }
}

/// What copies, in the device. It does one transfer at a time.
struct Engine {
    busy: bool,
    /// The memory that it has of its own.
    content: KVec<u8>,
}

impl Engine {
    const SIZE: usize = 4096;
}

/// What all operations of a binding have in common.
struct Shared<'bound> {
    plan: Plan,
    regs: Regs<'bound>,
    dma: Dma<'bound>,
    /// Whether buffers can be mapped.
    maps: bool,
    engine: Pin<KBox<Mutex<Engine>>>,
    /// For who has the handler do something.
    raising: Pin<KBox<Mutex<()>>>,
    order: Pin<KBox<SpinLockIrq<Option<Order<'bound>>>>>,
    done: Pin<KBox<Completion>>,
    /// How often the handler was called.
    called: AtomicUsize,
}

impl<'bound> Shared<'bound> {
    /// Has an order done by the handler.
    fn interrupt(&self, order: Order<'bound>) -> Result<Order<'bound>> {
        let _one = self.raising.lock();
        *self.order.lock() = Some(order);
        self.regs.0.write32(1, Regs::RAISE);
        self.done
            .wait_for_completion_timeout(msecs_to_jiffies(TIMEOUT))?;
        let order = self.order.lock().take().ok_or(EINVAL)?;
        check!(order.done);
        Ok(order)
    }

    /// Disables and enables the interrupt, and waits for its handler.
    ///
    /// Returns what the handler should have parked.
    fn interrupts(&self, vector: &pci::IrqVector<'_>, random: &mut Random) -> Result<Parked> {
        let _one = self.raising.lock();
        vector.synchronize()?;
        if vector.irq_type() == IrqType::Intx {
            check!(vector.disable() == Err(EINVAL));
            check!(vector.enable() == Err(EINVAL));
            return Ok(Parked::default());
        }
        let times = 1 + random.below(3);
        for _ in 0..times {
            vector.disable()?;
        }
        vector.synchronize()?;
        *self.order.lock() = Some(Order::new(random.next(), None, false));
        self.regs.0.write32(1, Regs::RAISE);
        for _ in 0..times {
            fsleep(Delta::from_micros(200));
            check!(self.order.lock().as_ref().is_some_and(|order| !order.done));
            vector.enable()?;
        }
        self.done
            .wait_for_completion_timeout(msecs_to_jiffies(TIMEOUT))?;
        let order = self.order.lock().take().ok_or(EINVAL)?;
        order.result?;
        Ok(order.parked)
    }
}

impl Handler for Shared<'_> {
    fn handle(&self) -> IrqReturn {
        if !self.regs.acknowledge() {
            return IrqReturn::None;
        }
        self.called.fetch_add(1, Ordering::Relaxed);
        if let Some(order) = &mut *self.order.lock() {
            if !order.done {
                order.run(self);
                self.done.complete();
            }
        }
        IrqReturn::Handled
    }
}

struct Data<'bound> {
    /// Those of each worker.
    worlds: KVec<Pin<KBox<Mutex<World<'bound>>>>>,
    vectors: pci::IrqVectorRegistration<'bound>,
    shared: Shared<'bound>,
}

impl<'bound> Data<'bound> {
    fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        let plan = Plan::new(dev)?;
        pr_info!("begin: seed {}\n", plan.seed);
        let mut random = Random::new(plan.seed, u64::MAX);
        dev.enable_device_mem()?;
        let regs = Regs(dev.iomap_region_sized(0, c"dma_fuzz")?);
        let dma = set_up(dev, &plan, &mut random)?;
        let kind = if random.once_in(2) {
            IrqType::Msi
        } else {
            IrqType::Intx
        };
        let vectors = dev.alloc_irq_vectors(1, 1, IrqTypes::default().with(kind))?;
        check!(dev.alloc_irq_vectors(1, 1, IrqTypes::all()).err() == Some(EBUSY));
        let mut worlds = KVec::with_capacity(WORKERS, GFP_KERNEL)?;
        for _ in 0..WORKERS {
            let world = World::new()?;
            worlds.push(KBox::pin_init(new_mutex!(world), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let content = make::zeroes(Engine::SIZE, GFP_KERNEL)?;
        let engine = Engine {
            busy: false,
            content,
        };
        let shared = Shared {
            plan,
            regs,
            dma,
            // C warns where it has to copy, and can't.
            maps: !dma.addressing_limited() || dma.merge_boundary_mask() != 0,
            engine: KBox::pin_init(new_mutex!(engine), GFP_KERNEL)?,
            raising: KBox::pin_init(new_mutex!(()), GFP_KERNEL)?,
            order: KBox::pin_init(new_spinlock_irq!(None), GFP_KERNEL)?,
            done: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
            called: AtomicUsize::new(0),
        };
        let data = Self {
            worlds,
            vectors,
            shared,
        };
        // Before the device may master the bus, all is freed at once.
        for number in 0..data.first() {
            let mut world = data.worlds[number % WORKERS].lock();
            world.operate(&data.shared, number, true, None);
        }
        data.compare(true)?;
        Ok(data)
    }

    /// How many operations are done before the device may master the bus.
    fn first(&self) -> usize {
        self.shared.plan.operations / 8
    }

    /// What is in memory, and how much is parked, when nobody is at it.
    fn compare(&self, quiet: bool) -> Result {
        let mut expected = Parked::default();
        for world in &self.worlds {
            let mut world = world.lock();
            check!(!world.failed);
            if quiet {
                world.compare_all()?;
            }
            world::add(&mut expected, world.parked.count, world.parked.bytes);
        }
        let found = self.shared.dma.parked();
        if found != expected {
            pr_err!("parked: {found:?}, not {expected:?}\n");
        }
        check!(found == expected);
        Ok(())
    }

    /// Lets the device master the bus, when it holds no address of before.
    fn set_master(&self, dev: &pci::Device<Start<'_>>) -> Result {
        self.shared.regs.wait()?;
        // SAFETY: The run bit, bit 0 of the register at 0x98, is clear, as was just read, so the
        // device is at rest. It begins a transfer only when that is set again, after the addresses.
        unsafe { dev.set_master() };
        Ok(())
    }

    fn run(&self, dev: &pci::Device<Start<'_>>) -> Result {
        let shared = &self.shared;
        // From here on it is known what is in the device.
        {
            let mut engine = shared.engine.lock();
            let mut random = Random::new(shared.plan.seed, u64::MAX - 1);
            random.fill(&mut engine.content);
            let memory = Coherent::<[u8]>::zeroed_slice(shared.dma, Engine::SIZE, GFP_KERNEL)?;
            memory.copy_from_slice(&engine.content);
            shared
                .regs
                .begin(memory.dma_address(), 0, Engine::SIZE, false, false)?;
            shared.regs.wait()?;
            // SAFETY: The run bit is clear, as was just waited for.
            unsafe { memory.free() };
        }
        let (mut number, end) = (self.first(), shared.plan.operations);
        let mut rounds = 0;
        while number < end {
            let next = (number + ROUND * WORKERS).min(end);
            if (number..next).any(|number| shared.plan.has(number)) {
                let work = |worker: usize| {
                    let mut world = self.worlds[worker].lock();
                    for number in (number..next).filter(|number| number % WORKERS == worker) {
                        let vector = self.vectors.index(0).ok();
                        world.operate(shared, number, false, vector);
                    }
                };
                if shared.plan.faults {
                    // Those of this thread alone fail.
                    (0..WORKERS).for_each(work);
                } else {
                    several::run(WORKERS, &work)?;
                }
                self.compare(rounds % 4 == 3)?;
            }
            number = next;
            rounds += 1;
        }
        dev_dbg!(dev, "{rounds} rounds\n");
        Ok(())
    }

    /// Waits for all transfers, or for some.
    fn land(&self, random: &mut Random, all: bool) -> Result {
        for world in &self.worlds {
            if all || !random.once_in(4) {
                world.lock().land(&self.shared, true)?;
            }
        }
        Ok(())
    }
}

/// The set-up, of which there is one.
fn set_up<'bound>(
    dev: &'bound pci::Device<Core<'_>>,
    plan: &Plan,
    random: &mut Random,
) -> Result<Dma<'bound>> {
    let mut setup = dev.dma_setup()?;
    check!(dev.dma_setup().err() == Some(EBUSY));
    // One that can't be, or is not the last.
    for _ in 0..random.below(3) {
        let mask = DmaMask::try_new(random.pick(&[1, 12, 20, 24, 32, 48, 64]))?;
        let result = match random.below(3) {
            0 => setup.set_mask(mask),
            1 => setup.set_coherent_mask(mask),
            _ => setup.set_mask_and_coherent(mask),
        };
        check!(result.is_ok() || result == Err(EIO));
    }
    check!(setup.set_max_seg_size(0) == Err(EINVAL));
    let wrong = random.pick(&[0, 1, 3, 4095, usize::MAX]);
    check!(setup.set_seg_boundary(wrong) == Err(EINVAL));
    check!(setup.set_min_align(random.pick(&[0, 3, 8192, u32::MAX])) == Err(EINVAL));
    let most = random.pick(&[512, 1000, 1536, 4096, 65536, 100_000, u32::MAX]);
    let boundary = random.pick(&[512, 2048, 4096, 65536, 1 << 32, 1 << 63]);
    let align = random.pick(&[1, 64, 512, 4096]);
    if random.once_in(2) {
        setup.set_max_seg_size(most)?;
        setup.set_seg_boundary(boundary)?;
        setup.set_min_align(align)?;
    }
    let bits = if plan.wide { 32 } else { 28 };
    setup.set_mask_and_coherent(DmaMask::try_new(bits)?)?;
    let dma = setup.finish()?;
    check!(dev.dma_setup().err() == Some(EBUSY));
    check!(dma.mask() == (1 << bits) - 1);
    check!(dma.parked() == Parked::default() && dma.is_quiesced());
    Ok(dma)
}

struct DmaFuzz;

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for DmaFuzz {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let data = Data::new(dev)?;
            if data.shared.plan.probe_fails() {
                let leaked: usize = data.worlds.iter().map(|world| world.lock().leaked).sum();
                pr_info!(
                    "not bound: seed {}, leaks {leaked}\n",
                    data.shared.plan.seed
                );
                return Err(EAGAIN);
            }
            Ok(kernel::try_init!(Data {
                worlds: data.worlds,
                vectors: data.vectors,
                shared: data.shared,
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        let shared = &data.shared;
        let seed = shared.plan.seed;
        shared.regs.acknowledge();
        data.set_master(dev)?;
        check!(!shared.dma.is_quiesced());
        let request = |name| dev.request_irq(data.vectors.index(0)?, Flags::SHARED, name, shared);
        check!(request(c"a/b") == Err(EINVAL));
        request(c"dma_fuzz")?;
        check!(request(c"dma_fuzz") == Err(EBUSY));
        let vector = data.vectors.index(0)?;
        check!(data.vectors.index(1).err() == Some(EINVAL));
        let cpu = CpuId::from_u32(seed as u32 % nr_cpu_ids()).ok_or(EINVAL)?;
        let result = dev.set_irq_affinity_and_hint(&vector, cpu);
        check!(shared.plan.faults || result.is_ok() == (vector.irq_type() == IrqType::Msi));
        match data.run(dev) {
            Ok(()) => (),
            Err(error) if error == ENOMEM && shared.plan.faults => return Err(error),
            Err(error) => {
                pr_err!("FAILED: seed {seed}: {error:?}\n");
                return Err(error);
            }
        }
        let mut transfers = 0;
        for world in &data.worlds {
            transfers += world.lock().transfers;
        }
        let (parked, called) = (shared.dma.parked(), shared.called.load(Ordering::Relaxed));
        pr_info!(
            "done: seed {seed}, {transfers} transfers, {called} interrupts, {} parked\n",
            parked.count
        );
        if shared.plan.start_fails() {
            return Err(EAGAIN);
        }
        Ok(())
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let data = data.get_ref();
        let seed = data.shared.plan.seed;
        let mut random = Random::new(seed, u64::MAX - 2);
        let leaked: usize = data.worlds.iter().map(|world| world.lock().leaked).sum();
        let mut end = || -> Result {
            data.land(&mut random, false)?;
            data.compare(true)?;
            for world in &data.worlds {
                let mut world = world.lock();
                dev.clear_master(|proof| world.end(&data.shared, &mut random, proof))?;
            }
            check!(data.shared.dma.is_quiesced());
            Ok(())
        };
        // Whoever failed has said so.
        if data.worlds.iter().any(|world| world.lock().failed) {
            return;
        }
        match end() {
            Ok(()) => pr_info!("end: seed {seed}, leaks {leaked}\n"),
            Err(error) => pr_err!("FAILED: seed {seed} at the end: {error:?}\n"),
        }
    }

    fn suspend<'bound>(_dev: &pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) -> Result {
        let data = data.get_ref();
        let seed = data.shared.plan.seed;
        let mut random = Random::new(seed, u64::MAX - 3);
        let result = data
            .land(&mut random, true)
            .and_then(|()| data.compare(true));
        if let Err(error) = result {
            pr_err!("FAILED: seed {seed} when suspended: {error:?}\n");
        }
        data.shared.regs.acknowledge();
        result
    }

    fn resume<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        let seed = data.shared.plan.seed;
        let all = || -> Result {
            data.set_master(dev)?;
            for world in &data.worlds {
                world.lock().released();
            }
            data.compare(true)?;
            data.run(dev)
        };
        let result = all();
        match result {
            Ok(()) => pr_info!("resumed: seed {seed}\n"),
            Err(error) => pr_err!("FAILED: seed {seed} when resumed: {error:?}\n"),
        }
        result
    }
}

kernel::module_pci_driver! {
    type: DmaFuzz,
    name: "dma_fuzz",
    authors: ["Seed dfb84e63 maintainers"],
    description: "Calls of the DMA and PCI abstractions, at random",
    license: "GPL",
}
