// SPDX-License-Identifier: GPL-2.0

//! Locks that disable interrupts.

use crate::{edu, edu::Edu, irq, Data, Test};
use kernel::{
    device::Start,
    interrupt::{local_interrupt_disable, LocalInterruptDisabled},
    io::Io,
    irq::{Flags, Handler, IrqReturn},
    new_condvar, new_spinlock_irq,
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    sync::{CondVar, CondVarTimeoutResult, SpinLockIrq, SpinLockIrqGuard},
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

/// Whether this CPU takes interrupts.
fn interrupts_on() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let flags: u64;
        // SAFETY: Not a claim: it reads flags, and the stack is as before.
        unsafe { core::arch::asm!("pushfq", "pop {}", out(reg) flags) };
        flags & (1 << 9) != 0
    }
    #[cfg(target_arch = "aarch64")]
    {
        let masked: u64;
        // SAFETY: Not a claim: it reads a register.
        unsafe { core::arch::asm!("mrs {}, daif", out(reg) masked) };
        masked & (1 << 7) == 0
    }
    #[cfg(target_arch = "riscv64")]
    {
        let status: u64;
        // SAFETY: Not a claim: it reads a register.
        unsafe { core::arch::asm!("csrr {}, sstatus", out(reg) status) };
        status & (1 << 1) != 0
    }
}

/// What has interrupts disabled.
enum Held<'a> {
    #[allow(dead_code)]
    Lock(SpinLockIrqGuard<'a, u32>),
    #[allow(dead_code)]
    Context(LocalInterruptDisabled),
}

/// All orders in which four things can be dropped.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    (0..256)
        .map(|number| {
            [
                number & 3,
                (number >> 2) & 3,
                (number >> 4) & 3,
                number >> 6,
            ]
        })
        .filter(|order| (0..4).all(|thing| order.contains(&thing)))
}

/// Interrupts are off until the last guard is gone, whichever that is.
pub(crate) fn order(_test: &mut Test<'_, '_>) -> Result {
    let first = KBox::pin_init(new_spinlock_irq!(1), GFP_KERNEL)?;
    let second = KBox::pin_init(new_spinlock_irq!(2), GFP_KERNEL)?;
    let third = KBox::pin_init(new_spinlock_irq!(3), GFP_KERNEL)?;
    let locks: [&SpinLockIrq<u32>; 3] = [&first, &second, &third];
    let hold = |thing: usize| match locks.get(thing) {
        Some(lock) => Held::Lock(lock.lock()),
        None => Held::Context(local_interrupt_disable()),
    };
    check!(orders().count() == 24);
    check!(interrupts_on());
    for things in [[3, 0, 1, 2], [0, 3, 1, 2], [0, 1, 2, 3]] {
        for order in orders() {
            let mut held = things.map(|thing| Some(hold(thing)));
            for at in order {
                check!(!interrupts_on());
                held[at] = None;
            }
            check!(interrupts_on());
        }
    }
    // Nor is preemption off.
    fsleep(Delta::from_millis(1));
    Ok(())
}

/// One that is not to be had leaves interrupts as they were.
pub(crate) fn tried(_test: &mut Test<'_, '_>) -> Result {
    let lock = KBox::pin_init(new_spinlock_irq!(1), GFP_KERNEL)?;
    let guard = lock.try_lock().ok_or(ENOTTY)?;
    check!(lock.try_lock().is_none());
    check!(!interrupts_on());
    drop(guard);
    check!(interrupts_on());

    let disabled = local_interrupt_disable();
    let guard = lock.try_lock_with(&disabled).ok_or(ENOTTY)?;
    check!(lock.try_lock_with(&disabled).is_none());
    drop(guard);
    check!(!interrupts_on());
    drop(lock.lock_with(&disabled));
    check!(!interrupts_on());
    drop(disabled);
    check!(interrupts_on());
    fsleep(Delta::from_millis(1));
    Ok(())
}

/// What a handler shares with who waits for it.
pub(crate) struct Shared<'bound> {
    edu: Edu<'bound>,
    handled: Pin<KBox<SpinLockIrq<u32>>>,
    other: Pin<KBox<SpinLockIrq<u32>>>,
    changed: Pin<KBox<CondVar>>,
}

impl Handler for Shared<'_> {
    fn handle(&self) -> IrqReturn {
        let reasons = self.edu.0.read32(edu::STATUS);
        if reasons == 0 {
            return IrqReturn::None;
        }
        self.edu.0.write32(reasons, edu::ACKNOWLEDGE);
        *self.handled.lock() += 1;
        self.changed.notify_all();
        IrqReturn::Handled
    }
}

pub(crate) fn shared(test: &mut Test<'_, '_>) -> Result {
    let edu = Edu::new(test.dev)?;
    let messages = IrqTypes::default().with(IrqType::Msi);
    test.kept.vectors = Some(test.dev.alloc_irq_vectors(1, 1, messages)?);
    test.kept.shared = Some(Shared {
        edu,
        handled: KBox::pin_init(new_spinlock_irq!(0), GFP_KERNEL)?,
        other: KBox::pin_init(new_spinlock_irq!(0), GFP_KERNEL)?,
        changed: KBox::pin_init(new_condvar!(), GFP_KERNEL)?,
    });
    Ok(())
}

/// The handler comes when the lock is released, and not before.
pub(crate) fn shared_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let shared = data.kept.shared.as_ref().ok_or(EINVAL)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, &irq::name(dev)?, shared)?;
    shared.edu.set_master(dev)?;
    for number in 0..100 {
        let other = shared.other.lock();
        let mut handled = shared.handled.lock();
        shared.edu.0.write32(1, edu::RAISE);
        drop(other);
        // The emulator raises it by then.
        for _ in 0..20 {
            check!(shared.edu.0.read32(edu::ID) != 0);
        }
        check!(*handled == number);
        // With interrupts on, or nobody would be woken up.
        while *handled == number {
            let waited = shared
                .changed
                .wait_interruptible_timeout(&mut handled, msecs_to_jiffies(5000));
            check!(!interrupts_on());
            check!(matches!(waited, CondVarTimeoutResult::Woken { .. }));
        }
        drop(handled);
        check!(interrupts_on());
    }
    Ok(())
}
