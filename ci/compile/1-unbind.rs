//# coherent memory for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<Coherent<'bound, u32>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<Coherent<'static, u32>> {
    Coherent::zeroed(dma, GFP_KERNEL)
}

//# coherent memory of the CPU for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<CoherentBox<'bound, u32>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<CoherentBox<'static, u32>> {
    CoherentBox::zeroed(dma, GFP_KERNEL)
}

//# memory without a mapping for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<CoherentHandle<'bound>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<CoherentHandle<'static>> {
    CoherentHandle::alloc(dma, 4096, GFP_KERNEL)
}

//# the DMA handle for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(setup: Setup<'bound>) -> Result<Dma<'bound>> { //~ pub fn keep<'bound>(setup: Setup<'bound>) -> Result<Dma<'static>> {
    setup.finish()
}

//# a BAR for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &pci::Device<Core<'bound>>) -> Result<pci::Bar<'bound>> { //~ pub fn keep<'bound>(dev: &pci::Device<Core<'bound>>) -> Result<pci::Bar<'static>> {
    dev.bound().iomap_region(0, c_str!("test"))
}

//# registers for longer than their BAR | error[E0515]: cannot return value referencing function parameter `bar`
pub fn keep<'bound>(bar: &'bound pci::Bar<'bound, 4>) -> &'bound Mmio<4> { //~ pub fn keep<'bound>(bar: pci::Bar<'bound, 4>) -> &'bound Mmio<4> {
    &**bar //~ &*bar
}

//# memory in work that outlives the binding | error[E0521]: borrowed data escapes outside of function
fn now<F: FnOnce() + Send>(work: F) { work() }
pub fn later<F: FnOnce() + Send + 'static>(_work: F) {}
pub fn leave(dma: Dma<'_>) -> Result {
    let memory = Coherent::<u32>::zeroed(dma, GFP_KERNEL)?;
    now(move || memory.write(&1)); //~ let _ = now::<fn()>; later(move || memory.write(&1));
    Ok(())
}

//# memory behind a pointer without a lifetime | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<KBox<Coherent<'bound, u32>>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<KBox<Coherent<'static, u32>>> {
    Ok(KBox::new(Coherent::zeroed(dma, GFP_KERNEL)?, GFP_KERNEL)?)
}

//# a reference count that keeps a device bound | error[E0277]: the trait bound `kernel::pci::Device<kernel::device::Bound>: AlwaysRefCounted` is not satisfied
pub fn count(dev: &pci::Device<Bound>) -> ARef<pci::Device> { //~ pub fn count(dev: &pci::Device<Bound>) -> ARef<pci::Device<Bound>> {
    let dev: &pci::Device = dev; //~
    dev.into()
}

//# the rights of a callback for longer than it | error[E0621]: explicit lifetime required in the type of `dev`
pub fn keep<'bound>(dev: &pci::Device<Core<'bound>>) -> &'bound pci::Device<Bound> { //~ pub fn keep<'bound>(dev: &pci::Device<Core<'bound>>) -> &'bound pci::Device<Core<'bound>> {
    dev.bound() //~ dev
}

//# a device of a callback in another thread | error[E0277]: `&kernel::pci::Device<kernel::device::Core<'_>>` cannot be sent between threads safely
pub fn send<T: Send>(_value: T) {}
pub fn other(dev: &pci::Device<Core<'_>>) {
    send(dev.bound()) //~ send(dev)
}
