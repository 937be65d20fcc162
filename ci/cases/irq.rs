// SPDX-License-Identifier: GPL-2.0

//! Interrupts.

use crate::{coherent::bytes, edu, edu::Edu, Data, Test};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    device::{Core, Start},
    fmt,
    io::Io,
    io_project,
    irq::{Flags, Handler, IrqReturn, ThreadedHandler, ThreadedIrqReturn},
    new_spinlock,
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    str::{CStr, CString},
    sync::Completion,
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

/// Whether there is no [`Counter`]. Its handlers are not called then.
static GONE: AtomicBool = AtomicBool::new(true);

/// Counts interrupts.
pub(crate) struct Counter<'bound> {
    edu: Edu<'bound>,
    number: usize,
    count: AtomicUsize,
    in_thread: AtomicUsize,
    done: Pin<KBox<Completion>>,
}

const NUMBER: usize = 0x5678;

const FLAGS: Flags = Flags::SHARED;

/// A name that tells devices apart.
pub(crate) fn name(dev: &pci::Device<Start<'_>>) -> Result<CString> {
    CString::try_from_fmt(fmt!("dma_cases {}", dev.as_ref().name()))
}

impl<'bound> Counter<'bound> {
    fn new(edu: Edu<'bound>) -> Result<Self> {
        GONE.store(false, Ordering::SeqCst);
        Ok(Self {
            edu,
            number: NUMBER,
            count: AtomicUsize::new(0),
            in_thread: AtomicUsize::new(0),
            done: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        })
    }

    /// Whether the device raised an interrupt; it is content then.
    fn called(&self) -> bool {
        if GONE.load(Ordering::SeqCst) || self.number != NUMBER {
            pr_err!("FAILED: a handler is called without its data\n");
            return false;
        }
        let reasons = self.edu.0.read32(edu::STATUS);
        self.edu.0.write32(reasons, edu::ACKNOWLEDGE);
        if reasons != 0 {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
        reasons != 0
    }

    fn counted(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn wait(&self) -> Result {
        self.done
            .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))
    }
}

impl Handler for Counter<'_> {
    fn handle(&self) -> IrqReturn {
        if !self.called() {
            return IrqReturn::None;
        }
        self.done.complete();
        IrqReturn::Handled
    }
}

impl ThreadedHandler for Counter<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        if self.called() {
            ThreadedIrqReturn::WakeThread
        } else {
            ThreadedIrqReturn::None
        }
    }

    fn handle_threaded(&self) -> IrqReturn {
        // It may sleep.
        fsleep(Delta::from_millis(1));
        self.in_thread.fetch_add(1, Ordering::SeqCst);
        self.done.complete();
        IrqReturn::Handled
    }
}

/// No handler is called any more, even if the device raises an interrupt.
impl Drop for Counter<'_> {
    fn drop(&mut self) {
        let counted = self.counted();
        self.edu.0.write32(1, edu::RAISE);
        fsleep(Delta::from_millis(20));
        if self.counted() != counted {
            pr_err!("FAILED: a handler is called while the data is dropped\n");
        }
        self.edu.0.write32(!0, edu::ACKNOWLEDGE);
        self.number = 0;
        GONE.store(true, Ordering::SeqCst);
    }
}

/// Never says that it handled anything.
#[derive(Default)]
pub(crate) struct Never;

impl Handler for Never {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}

pub(crate) fn vectors(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    let all = IrqTypes::all();
    let refused = |min, max, types| dev.alloc_irq_vectors(min, max, types).err();
    check!(refused(1, 1, all) == Some(EINVAL)); // not enabled
    dev.enable_device_mem()?;
    for (min, max) in [(0, 0), (0, 1), (2, 1), (u32::MAX, 1)] {
        check!(refused(min, max, all) == Some(EINVAL));
    }
    check!(refused(1, 1, IrqTypes::default()) == Some(EINVAL));
    for min in [2, 33, 2049, i32::MAX as u32 + 1, u32::MAX] {
        check!(refused(min, u32::MAX, all) == Some(ENOSPC));
    }
    let messages = IrqTypes::default().with(IrqType::Msi);
    for (types, kind) in [
        (messages, IrqType::Msi),
        (all, IrqType::Msi),
        (IrqTypes::default().with(IrqType::Intx), IrqType::Intx),
        (messages.with(IrqType::MsiX), IrqType::Msi),
    ] {
        // They are freed each time.
        let vectors = dev.alloc_irq_vectors(1, u32::MAX, types)?;
        check!((vectors.len(), vectors.irq_type()) == (1, kind));
        for types in [all, messages, IrqTypes::default()] {
            check!(refused(1, 1, types) == Some(EBUSY));
        }
        for index in [1, 2, 2048, usize::MAX] {
            check!(vectors.index(index).err() == Some(EINVAL));
        }
        check!(vectors.index(0)?.irq_type() == kind);
        check!(core::ptr::eq(vectors.index(0)?.vectors(), &vectors));
    }
    Ok(())
}

fn counter(test: &mut Test<'_, '_>, kind: IrqType) -> Result {
    let edu = Edu::new(test.dev)?;
    let vectors = test
        .dev
        .alloc_irq_vectors(1, 1, IrqTypes::default().with(kind))?;
    check!((vectors.len(), vectors.irq_type()) == (1, kind));
    test.kept.vectors = Some(vectors);
    test.kept.counter = Some(Counter::new(edu)?);
    Ok(())
}

pub(crate) fn messages(test: &mut Test<'_, '_>) -> Result {
    counter(test, IrqType::Msi)
}

pub(crate) fn pin(test: &mut Test<'_, '_>) -> Result {
    counter(test, IrqType::Intx)
}

/// What is dropped where it can't be freed is freed all the same, when the driver is unbound, if
/// the kernel can tell.
pub(crate) fn vectors_spinlock(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    dev.enable_device_mem()?;
    let vectors = dev.alloc_irq_vectors(1, 1, IrqTypes::default().with(IrqType::Msi))?;
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    if !cfg!(CONFIG_PREEMPT_COUNT) {
        return Ok(());
    }
    let guard = lock.lock();
    check!(vectors.index(0)?.synchronize() == Err(EINVAL));
    drop(vectors);
    drop(guard);
    check!(dev.alloc_irq_vectors(1, 1, IrqTypes::all()).err() == Some(EBUSY));
    Ok(())
}

/// One after the other: the handler wakes up who waits for it.
pub(crate) fn counted<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let counter = data.counter()?;
    dev.request_irq(data.vector(0)?, FLAGS, c"dma_cases", counter)?;
    counter.edu.set_master(dev)?;
    check!(counter.counted() == 0);
    for number in 1..=20 {
        counter.edu.0.write32(1, edu::RAISE);
        counter.wait()?;
        check!(counter.counted() == number);
    }
    check!(!counter.done.try_wait_for_completion());
    Ok(())
}

pub(crate) use self::messages as threaded;

pub(crate) fn threaded_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let counter = data.counter()?;
    dev.request_threaded_irq(data.vector(0)?, FLAGS, c"dma_cases", counter)?;
    counter.edu.set_master(dev)?;
    for number in 1..=20 {
        counter.edu.0.write32(1, edu::RAISE);
        counter.wait()?;
        check!(counter.counted() == number);
        check!(counter.in_thread.load(Ordering::SeqCst) == number);
    }
    Ok(())
}

pub(crate) use self::messages as wrong;

/// What is refused leaves nothing behind.
pub(crate) fn wrong_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    const NAMES: [&core::ffi::CStr; 7] = [
        c"",
        c".",
        c"..",
        c"dma/cases",
        c"/",
        c"spurious",
        c"smp_affinity_list",
    ];
    let counter = data.counter()?;
    let name = c"dma_cases";
    let request = |name: &core::ffi::CStr| dev.request_irq(data.vector(0)?, FLAGS, name, counter);
    let request_threaded =
        |name: &core::ffi::CStr| dev.request_threaded_irq(data.vector(0)?, FLAGS, name, counter);
    for name in NAMES {
        check!(request(name) == Err(EINVAL));
        check!(request_threaded(name) == Err(EINVAL));
    }
    request(name)?;
    check!(request(name) == Err(EBUSY));
    check!(request(c"dma_cases 2") == Err(EBUSY));
    check!(request_threaded(name) == Err(EBUSY));
    counter.edu.set_master(dev)?;
    counter.edu.0.write32(1, edu::RAISE);
    counter.wait()?;
    check!(counter.counted() == 1);
    Ok(())
}

/// A binding that fails has its handler removed as well.
pub(crate) use self::messages as start_fails;

pub(crate) fn start_fails_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    counted(dev, data)?;
    Err(EBUSY)
}

/// Nobody handles it, and the machine lives on; more of them than that turn the interrupt off.
pub(crate) use self::messages as spurious;

pub(crate) fn spurious_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let counter = data.counter()?;
    dev.request_irq(data.vector(0)?, FLAGS, c"dma_cases", &data.kept.never)?;
    counter.edu.set_master(dev)?;
    for _ in 0..1000 {
        counter.edu.0.write32(1, edu::RAISE);
    }
    check!(counter.counted() == 0);
    check!(counter.edu.0.read32(edu::STATUS) == 1);
    counter.edu.0.write32(!0, edu::ACKNOWLEDGE);
    Ok(())
}

/// Instead of being polled, the device says when it is done.
pub(crate) fn transfer(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    counter(test, IrqType::Msi)?;
    test.kept.bytes = Some(bytes(dma, 64)?);
    Ok(())
}

pub(crate) fn transfer_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let (counter, memory) = (data.counter()?, data.bytes()?);
    dev.request_irq(data.vector(0)?, FLAGS, c"dma_cases", counter)?;
    counter.edu.set_master(dev)?;
    io_project!(memory, [try: ..32]).copy_from_slice(&[0x5a; 32]);
    counter.edu.fetch(memory.dma_address(), 0, 32)?;
    check!(counter.counted() == 0);
    counter
        .edu
        .begin_store_and_raise(0, io_project!(memory, [try: 32]).dma_address(), 32)?;
    check!(
        counter
            .done
            .wait_for_completion_timeout(msecs_to_jiffies(0))
            == Err(ETIMEDOUT)
    );
    counter.wait()?;
    let mut found = [0; 64];
    memory.copy_to_slice(&mut found);
    check!(found == [0x5a; 64]);
    check!(counter.counted() == 1);
    Ok(())
}

/// The device raises interrupts until, and while, it is unbound.
pub(crate) fn raising(test: &mut Test<'_, '_>) -> Result {
    transfer(test)
}

pub(crate) fn raising_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let counter = data.counter()?;
    dev.request_threaded_irq(data.vector(0)?, FLAGS, c"dma_cases", counter)?;
    counter.edu.set_master(dev)?;
    Ok(())
}

pub(crate) fn raising_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let (counter, memory) = (data.counter()?, data.bytes()?);
    counter
        .edu
        .begin_store_and_raise(0, memory.dma_address(), 64)?;
    for _ in 0..100 {
        counter.edu.0.write32(1, edu::RAISE);
    }
    Ok(())
}

/// The names that handlers are requested with are copied.
pub(crate) use self::messages as named;

pub(crate) fn named_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let mut long = KVec::from_elem(b'n', 128, GFP_KERNEL)?;
    long[127] = 0;
    let vector = || data.vector(0);
    {
        let mut longer = KVec::from_elem(b'n', 129, GFP_KERNEL)?;
        longer[128] = 0;
        let longer = CStr::from_bytes_with_nul(&longer)?;
        check!(dev.request_irq(vector()?, FLAGS, longer, &data.kept.never) == Err(EINVAL));
    }
    let counter = data.counter()?;
    dev.request_irq(vector()?, Flags::TRIGGER_NONE, &name(dev)?, counter)?;
    // What was the name is something else now; `cases.sh` looks for it.
    drop(KVec::from_elem(b'x', 32, GFP_KERNEL)?);
    check!(
        dev.request_irq(vector()?, FLAGS, CStr::from_bytes_with_nul(&long)?, counter) == Err(EBUSY)
    );
    Ok(())
}

/// Waits for the handler, but not for itself.
pub(crate) struct Slow<'bound> {
    edu: Edu<'bound>,
    vectors: pci::IrqVectorRegistration<'bound>,
    began: Pin<KBox<Completion>>,
    ended: AtomicUsize,
    failed: AtomicUsize,
}

impl Slow<'_> {
    /// Counts where it should be an error.
    fn refused(&self, with: Error) {
        let result = self
            .vectors
            .index(0)
            .and_then(|vector| vector.synchronize());
        self.failed
            .fetch_add(usize::from(result != Err(with)), Ordering::SeqCst);
    }
}

impl ThreadedHandler for Slow<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        let reasons = self.edu.0.read32(edu::STATUS);
        if reasons == 0 {
            return ThreadedIrqReturn::None;
        }
        self.edu.0.write32(reasons, edu::ACKNOWLEDGE);
        self.refused(EINVAL);
        ThreadedIrqReturn::WakeThread
    }

    fn handle_threaded(&self) -> IrqReturn {
        self.began.complete();
        self.refused(EBUSY);
        fsleep(Delta::from_millis(50));
        self.ended.fetch_add(1, Ordering::SeqCst);
        IrqReturn::Handled
    }
}

pub(crate) fn synchronized(test: &mut Test<'_, '_>) -> Result {
    let edu = Edu::new(test.dev)?;
    let messages = IrqTypes::default().with(IrqType::Msi);
    test.kept.slow = Some(Slow {
        vectors: test.dev.alloc_irq_vectors(1, 1, messages)?,
        edu,
        began: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        ended: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
    });
    Ok(())
}

fn slow<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a Slow<'bound>> {
    data.kept.slow.as_ref().ok_or(EINVAL)
}

pub(crate) fn synchronized_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let slow = slow(data)?;
    let vector = slow.vectors.index(0)?;
    // Nothing to wait for.
    vector.synchronize()?;
    dev.request_threaded_irq(slow.vectors.index(0)?, FLAGS, c"dma_cases", slow)?;
    slow.edu.set_master(dev)?;
    for number in 1..=5 {
        slow.edu.0.write32(1, edu::RAISE);
        slow.began
            .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))?;
        vector.synchronize()?;
        check!(slow.ended.load(Ordering::SeqCst) == number);
    }
    check!(slow.failed.load(Ordering::SeqCst) == 0);
    Ok(())
}

pub(crate) fn synchronized_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let slow = slow(data)?;
    slow.edu.0.write32(1, edu::RAISE);
    slow.began
        .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))?;
    slow.vectors.index(0)?.synchronize()?;
    check!(slow.ended.load(Ordering::SeqCst) == 6);
    Ok(())
}

/// An interrupt that is disabled is handled later, once; and it is not enabled more often.
pub(crate) use self::messages as disabled;

pub(crate) fn disabled_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let counter = data.counter()?;
    let vector = data.vector(0)?;
    check!(vector.disable() == Err(EINVAL));
    check!(vector.enable() == Err(EINVAL));
    dev.request_irq(data.vector(0)?, Flags::TRIGGER_NONE, c"dma_cases", counter)?;
    counter.edu.set_master(dev)?;
    check!(vector.enable() == Err(EINVAL));
    for depth in 1..=3 {
        for _ in 0..depth {
            vector.disable()?;
        }
        for _ in 0..10 {
            counter.edu.0.write32(1, edu::RAISE);
            counter.edu.0.write32(1, edu::ACKNOWLEDGE);
        }
        counter.edu.0.write32(1, edu::RAISE);
        for _ in 1..depth {
            vector.enable()?;
        }
        fsleep(Delta::from_millis(20));
        vector.synchronize()?;
        check!(counter.counted() == depth - 1);
        vector.enable()?;
        counter.wait()?;
        check!(counter.counted() == depth);
        check!(vector.enable() == Err(EINVAL));
    }
    // It stays disabled until the handler is removed, and after that nobody enables it.
    vector.disable()?;
    Ok(())
}

/// So it is where the handler disables it, and somebody else enables it: `raised` times.
pub(crate) struct Polled<'bound> {
    edu: Edu<'bound>,
    vectors: pci::IrqVectorRegistration<'bound>,
    raised: Pin<KBox<Completion>>,
    count: AtomicUsize,
}

impl Polled<'_> {
    fn vector(&self) -> Result<pci::IrqVector<'_>> {
        self.vectors.index(0)
    }

    fn wait(&self) -> Result {
        self.raised
            .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))
    }
}

impl Handler for Polled<'_> {
    fn handle(&self) -> IrqReturn {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.vector().and_then(|vector| vector.disable()).is_err() {
            pr_err!("FAILED: a handler can't disable its interrupt\n");
        }
        self.raised.complete();
        IrqReturn::Handled
    }
}

/// When the handler is removed, the interrupt is disabled as often as it came.
impl Drop for Polled<'_> {
    fn drop(&mut self) {
        for _ in 0..3 {
            if self.vector().and_then(|vector| vector.enable()) != Err(EINVAL) {
                pr_err!("FAILED: an interrupt is enabled without a handler\n");
            }
            if self.vector().and_then(|vector| vector.disable()) != Err(EINVAL) {
                pr_err!("FAILED: an interrupt is disabled without a handler\n");
            }
        }
        self.edu.0.write32(!0, edu::ACKNOWLEDGE);
    }
}

pub(crate) fn polled(test: &mut Test<'_, '_>) -> Result {
    let edu = Edu::new(test.dev)?;
    let messages = IrqTypes::default().with(IrqType::Msi);
    test.kept.polled = Some(Polled {
        vectors: test.dev.alloc_irq_vectors(1, 1, messages)?,
        edu,
        raised: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        count: AtomicUsize::new(0),
    });
    Ok(())
}

pub(crate) fn polled_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let polled = data.kept.polled.as_ref().ok_or(EINVAL)?;
    // Not shared: CONFIG_DEBUG_SHIRQ has such a handler called once more when it is removed.
    dev.request_irq(polled.vector()?, Flags::TRIGGER_NONE, c"dma_cases", polled)?;
    polled.edu.set_master(dev)?;
    for number in 1..=10 {
        polled.edu.0.write32(1, edu::RAISE);
        polled.wait()?;
        polled.edu.0.write32(1, edu::ACKNOWLEDGE);
        polled.edu.0.write32(1, edu::RAISE);
        fsleep(Delta::from_millis(2));
        check!(polled.count.load(Ordering::SeqCst) == 2 * number - 1);
        polled.vector()?.enable()?;
        polled.wait()?;
        check!(polled.count.load(Ordering::SeqCst) == 2 * number);
        polled.edu.0.write32(1, edu::ACKNOWLEDGE);
        polled.vector()?.enable()?;
    }
    polled.edu.0.write32(1, edu::RAISE);
    polled.wait()
}

/// A line, which others may share, is not this device's alone.
pub(crate) use self::pin as line;

pub(crate) fn line_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let vector = data.vector(0)?;
    dev.request_irq(data.vector(0)?, FLAGS, &name(dev)?, &data.kept.never)?;
    check!(vector.disable() == Err(EINVAL));
    check!(vector.enable() == Err(EINVAL));
    check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
    vector.synchronize()
}

fn cpu(number: u32) -> Result<CpuId> {
    CpuId::from_u32(number).ok_or(EINVAL)
}

/// A device with many vectors, which raises none of them.
pub(crate) fn several(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let messages = IrqTypes::default().with(IrqType::MsiX);
    let vectors = test.dev.alloc_irq_vectors(3, 3, messages)?;
    check!((vectors.len(), vectors.irq_type()) == (3, IrqType::MsiX));
    test.kept.vectors = Some(vectors);
    Ok(())
}

pub(crate) fn several_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let request = |index: usize| {
        let name = CString::try_from_fmt(fmt!("dma_cases {index}"))?;
        dev.request_irq(data.vector(index)?, FLAGS, &name, &data.kept.never)
    };
    for index in [2, 0, 1] {
        request(index)?;
    }
    for index in 0..3 {
        check!(request(index) == Err(EBUSY));
        data.vector(index)?.synchronize()?;
    }
    check!(request(3) == Err(EINVAL));
    Ok(())
}

/// Each vector to a processor; `cases.sh` looks whether user space is told.
pub(crate) use self::several as hinted;

pub(crate) fn hinted_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    check!(CpuId::from_u32(nr_cpu_ids()).is_none());
    check!(CpuId::from_u32(u32::MAX).is_none());
    let vector = data.vector(0)?;
    check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
    several_start(dev, data)?;
    for index in 0..3 {
        let vector = data.vector(index)?;
        if !cfg!(CONFIG_SMP) {
            check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
            continue;
        }
        for number in 0..=index as u32 + 1 {
            dev.set_irq_affinity_and_hint(&vector, cpu(number)?)?;
        }
    }
    Ok(())
}

/// The kernel gives each processor one, or the only processor all.
pub(crate) fn spread(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let none = IrqTypes::default().with_affinity();
    check!(test.dev.alloc_irq_vectors(1, 1, none).err() == Some(EINVAL));
    let messages = none.with(IrqType::MsiX).with(IrqType::Msi);
    let vectors = test.dev.alloc_irq_vectors(1, u32::MAX, messages)?;
    check!(vectors.irq_type() == IrqType::MsiX);
    check!(vectors.len() as u32 == nr_cpu_ids() || !cfg!(CONFIG_SMP));
    test.kept.vectors = Some(vectors);
    Ok(())
}

pub(crate) fn spread_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    for index in 0..nr_cpu_ids() as usize {
        let vector = data.vector(index)?;
        dev.request_irq(data.vector(index)?, FLAGS, &name(dev)?, &data.kept.never)?;
        if cfg!(CONFIG_SMP) {
            check!(vector.disable() == Err(EINVAL));
            check!(vector.enable() == Err(EINVAL));
        } else {
            vector.disable()?;
            vector.enable()?;
        }
        check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
        vector.synchronize()?;
    }
    Ok(())
}
