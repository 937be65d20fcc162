// SPDX-License-Identifier: GPL-2.0

//! Interrupts.

use crate::{coherent::bytes, edu, edu::Edu, Data, Test};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    c_str,
    device::{Core, Start},
    io::Io,
    io_project,
    irq::{Handler, IrqReturn, ThreadedHandler, ThreadedIrqReturn},
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    str::CStr,
    sync::Completion,
    time::{msecs_to_jiffies, msleep},
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
        msleep(1);
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
        msleep(20);
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
    check!(dev.alloc_irq_vectors(1, 1, all) == Err(EINVAL)); // not enabled
    dev.enable_device_mem()?;
    for (min, max) in [(0, 0), (0, 1), (2, 1), (u32::MAX, 1)] {
        check!(dev.alloc_irq_vectors(min, max, all) == Err(EINVAL));
    }
    check!(dev.alloc_irq_vectors(1, 1, IrqTypes::default()) == Err(EINVAL));
    for min in [2, 33, 2049, i32::MAX as u32 + 1, u32::MAX] {
        check!(dev.alloc_irq_vectors(min, u32::MAX, all) == Err(ENOSPC));
    }
    let messages = IrqTypes::default().with(IrqType::Msi);
    check!(dev.alloc_irq_vectors(1, u32::MAX, messages) == Ok(1));
    for types in [all, messages, IrqTypes::default()] {
        check!(dev.alloc_irq_vectors(1, 1, types) == Err(EBUSY));
    }
    Ok(())
}

fn counter(test: &mut Test<'_, '_>, kind: IrqType) -> Result {
    let edu = Edu::new(test.dev)?;
    test.dev
        .alloc_irq_vectors(1, 1, IrqTypes::default().with(kind))?;
    test.kept.counter = Some(Counter::new(edu)?);
    Ok(())
}

pub(crate) fn messages(test: &mut Test<'_, '_>) -> Result {
    counter(test, IrqType::Msi)
}

pub(crate) fn pin(test: &mut Test<'_, '_>) -> Result {
    counter(test, IrqType::Intx)
}

/// One after the other: the handler wakes up who waits for it.
pub(crate) fn counted<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let counter = data.counter()?;
    dev.request_irq(0, c_str!("dma_cases"), counter)?;
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
    dev.request_threaded_irq(0, c_str!("dma_cases"), counter)?;
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
    const NAMES: [&CStr; 7] = [
        c_str!(""),
        c_str!("."),
        c_str!(".."),
        c_str!("dma/cases"),
        c_str!("/"),
        c_str!("spurious"),
        c_str!("smp_affinity_list"),
    ];
    let counter = data.counter()?;
    let name = c_str!("dma_cases");
    for index in [1, 2, 2048, i32::MAX as u32 + 1, u32::MAX] {
        check!(dev.request_irq(index, name, counter) == Err(EINVAL));
        check!(dev.request_threaded_irq(index, name, counter) == Err(EINVAL));
    }
    for name in NAMES {
        check!(dev.request_irq(0, name, counter) == Err(EINVAL));
        check!(dev.request_threaded_irq(0, name, counter) == Err(EINVAL));
    }
    dev.request_irq(0, name, counter)?;
    check!(dev.request_irq(0, name, counter) == Err(EBUSY));
    check!(dev.request_irq(0, c_str!("dma_cases 2"), &data.kept.never) == Err(EBUSY));
    check!(dev.request_threaded_irq(0, name, counter) == Err(EBUSY));
    counter.edu.set_master(dev)?;
    counter.edu.0.write32(1, edu::RAISE);
    counter.wait()?;
    check!(counter.counted() == 1);
    Ok(())
}

/// Of a device that has a line, as it is enabled.
pub(crate) fn no_vectors(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()
}

pub(crate) fn no_vectors_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    for index in [0, 1, u32::MAX] {
        let never = &data.kept.never;
        check!(dev.request_irq(index, c_str!("dma_cases"), never) == Err(EINVAL));
    }
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
    dev.request_irq(0, c_str!("dma_cases"), &data.kept.never)?;
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
    dev.request_irq(0, c_str!("dma_cases"), counter)?;
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
    dev.request_threaded_irq(0, c_str!("dma_cases"), counter)?;
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

/// A device with many vectors, which raises none of them.
pub(crate) fn several(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let messages = IrqTypes::default().with(IrqType::MsiX);
    check!(test.dev.alloc_irq_vectors(3, 3, messages) == Ok(3));
    Ok(())
}

pub(crate) fn several_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let never = &data.kept.never;
    for index in [2, 0, 1] {
        dev.request_irq(index, c_str!("dma_cases"), never)?;
    }
    for index in 0..3 {
        check!(dev.request_irq(index, c_str!("dma_cases"), never) == Err(EBUSY));
    }
    check!(dev.request_irq(3, c_str!("dma_cases"), never) == Err(EINVAL));
    Ok(())
}
