//# a guard that another thread drops, where interrupts are on | error[E0277]: `*mut ()` cannot be sent between threads safely
pub fn other_thread<T: Send>(_: T) {}
pub fn send(lock: &SpinLockIrq<u32>) {
    other_thread(lock); //~ other_thread(lock.lock());
}

//# the proof that interrupts are disabled, sent to another thread | error[E0277]: `*mut ()` cannot be sent between threads safely
pub fn other_thread<T: Send>(_: T) {}
pub fn send() {
    let disabled = local_interrupt_disable();
    drop(disabled); //~ other_thread(disabled);
}

//# the proof that interrupts are disabled, shown to another thread | error[E0277]: `*mut ()` cannot be shared between threads safely
pub fn this_thread<T>(_: T) {}
pub fn other_thread<T: Send>(_: T) {}
pub fn send() {
    let disabled = local_interrupt_disable();
    this_thread(&disabled); //~ other_thread(&disabled);
}

//# a lock that is held for longer than interrupts are disabled | error[E0505]: cannot move out of `disabled` because it is borrowed
pub fn hold(lock: &SpinLockIrq<u32>) -> u32 {
    let disabled = local_interrupt_disable();
    let guard = lock.lock_with(&disabled);
    //~ drop(disabled);
    *guard
}

//# that interrupts are disabled, without a claim | error[E0133]: call to unsafe function
pub fn claim(lock: &SpinLockIrq<u32>) -> u32 {
    // SAFETY: Not called.
    let disabled = unsafe { LocalInterruptDisabled::assume_disabled() }; //~ let disabled = LocalInterruptDisabled::assume_disabled();
    let number = *lock.lock_with(disabled);
    number
}

//# what a handler shares with others, without a lock | error[E0277]: `Cell<u32>` cannot be shared between threads safely
pub struct H(Pin<KBox<SpinLockIrq<core::cell::Cell<u32>>>>); //~ pub struct H(Pin<KBox<core::cell::Cell<u32>>>);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
