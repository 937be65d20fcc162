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
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::Bar<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::Bar<'static>> {
    dev.iomap_region(0, c"test")
}

//# I/O ports for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::PortBar<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::PortBar<'static>> {
    dev.ioport_region(0, c"test")
}

//# registers for longer than their BAR | error[E0515]: cannot return value referencing function parameter `bar`
pub fn keep<'bound>(bar: &'bound pci::Bar<'bound, 4>) -> Mmio<'bound, Region<4>> { //~ pub fn keep<'bound>(bar: pci::Bar<'bound, 4>) -> Mmio<'bound, Region<4>> {
    bar.as_view()
}

//# a register of a structure for longer than its BAR | error[E0515]: cannot return value referencing function parameter `bar`
pub fn keep<'bound>(bar: &'bound pci::Bar<'bound, 4>) -> Result<Mmio<'bound, u16>> { //~ pub fn keep<'bound>(bar: pci::Bar<'bound, 4>) -> Result<Mmio<'bound, u16>> {
    Ok(io_project!(bar.as_view().try_cast::<[u16; 2]>()?, [build: 1]))
}

//# a view of coherent memory for longer than the memory | error[E0515]: cannot return value referencing function parameter `memory`
pub fn keep<'a>(memory: &'a Coherent<'a, [u32]>) -> Result<CoherentView<'a, u32>> { //~ pub fn keep<'a>(memory: Coherent<'a, [u32]>) -> Result<CoherentView<'a, u32>> {
    Ok(io_project!(memory, [try: 3]))
}

//# a view of mapped memory for longer than the guard | error[E0505]: cannot move out of `guard` because it is borrowed
pub fn keep(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> u8 {
    let guard = mapping.for_cpu();
    let view = guard.as_view();
    let byte = || -> Result<u8> { Ok(io_read!(view, [try: 0])) };
    let byte = byte().unwrap_or(0); //~
    drop(guard);
    byte //~ byte().unwrap_or(0)
}

//# memory in work that outlives the binding | error[E0521]: borrowed data escapes outside of function
fn now<F: FnOnce() + Send>(work: F) { work() }
pub fn later<F: FnOnce() + Send + 'static>(_work: F) {}
pub fn leave(dma: Dma<'_>) -> Result {
    let memory = Coherent::<u32>::zeroed(dma, GFP_KERNEL)?;
    now(move || memory.write_val(1)); //~ let _ = now::<fn()>; later(move || memory.write_val(1));
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

//# the rights of a callback for longer than it | error[E0277]: `kernel::pci::Device<kernel::device::Core<'bound>>` cannot be shared between threads safely
pub struct D;
pub struct Data<'bound>(&'bound pci::Device<Bound>); //~ pub struct Data<'bound>(&'bound pci::Device<Core<'bound>>);
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(dev: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || Ok(Data(dev))) //~ pin_init_scope(move || -> Result<Data<'bound>> { let _ = dev; Err(EINVAL) })
    }
}

//# the device of a callback as one for ever | error: lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> &'bound pci::Device<Bound> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> &'static pci::Device<Bound> {
    dev
}

//# a device of a callback in another thread | error[E0277]: `&kernel::pci::Device<kernel::device::Core<'_>>` cannot be sent between threads safely
pub fn send<T: Send>(_value: T) {}
pub fn other<'bound>(dev: &'bound pci::Device<Core<'_>>) {
    let bound: &'bound pci::Device<Bound> = dev;
    send(bound) //~ send(dev)
}

//# a handler that is a local variable of start | error[E0597]: `local` does not live long enough
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result {
    let local = H(1);
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_irq(vector, irq::Flags::SHARED, c"test", &local)
}

//# a handler in a box of start | error[E0597]: `local` does not live long enough
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result {
    let local = KBox::new(H(1), GFP_KERNEL)?;
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_irq(vector, irq::Flags::SHARED, c"test", &*local)
}

//# a handler that borrows a local variable of start | error[E0597]: `number` does not live long enough
pub struct H<'a>(&'a u32);
impl irq::Handler for H<'_> {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H<'_>>, vector: pci::IrqVector<'data>) -> Result {
    let number = 1;
    let local = KBox::leak(KBox::new(H(&number), GFP_KERNEL)?);
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_irq(vector, irq::Flags::SHARED, c"test", local)
}

//# a handler that is borrowed from the data for less than 'data | error[E0621]: explicit lifetime required in the type of `data`
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result { //~ pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&H>, vector: pci::IrqVector<'data>) -> Result {
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref())
}

//# a 'data that is cut short | lifetime may not live long enough
pub fn shorten<'a, 'data: 'a>(dev: &'a pci::Device<Start<'data>>) -> &'a pci::Device<Start<'data>> { //~ pub fn shorten<'a, 'data: 'a>(dev: &'a pci::Device<Start<'data>>) -> &'a pci::Device<Start<'a>> {
    dev
}

//# a 'data that is drawn out | lifetime may not live long enough
pub fn draw_out<'a, 'data>(dev: &'a pci::Device<Start<'data>>) -> &'a pci::Device<Start<'data>> { //~ pub fn draw_out<'a, 'data>(dev: &'a pci::Device<Start<'data>>) -> &'a pci::Device<Start<'static>> {
    dev
}

//# a handler in probe, when the data is not in place | error[E0599]: no method named `request_irq` found for reference `&'a kernel::pci::Device<kernel::device::Core<'_>>`
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn probe<'a>(dev: &'a pci::Device<Start<'a>>, handler: &'a H, vector: pci::IrqVector<'a>) -> Result { //~ pub fn probe<'a>(dev: &'a pci::Device<Core<'_>>, handler: &'a H, vector: pci::IrqVector<'a>) -> Result {
    dev.request_irq(vector, irq::Flags::SHARED, c"test", handler)
}

//# a handler at any time | error[E0599]: no method named `request_irq` found for reference `&'a kernel::pci::Device<kernel::device::Bound>`
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn later<'a>(dev: &'a pci::Device<Start<'a>>, handler: &'a H, vector: pci::IrqVector<'a>) -> Result { //~ pub fn later<'a>(dev: &'a pci::Device<Bound>, handler: &'a H, vector: pci::IrqVector<'a>) -> Result {
    dev.request_irq(vector, irq::Flags::SHARED, c"test", handler)
}

//# vectors at any time | error[E0599]: no method named `alloc_irq_vectors` found for reference `&'a kernel::pci::Device<kernel::device::Bound>`
pub fn later<'a>(dev: &'a pci::Device<Core<'_>>) -> Result<pci::IrqVectorRegistration<'a>> { //~ pub fn later<'a>(dev: &'a pci::Device<Bound>) -> Result<pci::IrqVectorRegistration<'a>> {
    dev.alloc_irq_vectors(1, 1, pci::IrqTypes::all())
}

//# the device of start in another thread | error[E0277]: `&kernel::pci::Device<kernel::device::Start<'_>>` cannot be sent between threads safely
pub fn send<T: Send>(_value: T) {}
pub fn start(dev: &pci::Device<Start<'_>>) {
    let bound: &pci::Device<Bound> = dev;
    send(bound) //~ send(dev)
}

//# the set-up in start, when the data is in place | error[E0599]: no method named `dma_setup` found for reference `&'a kernel::pci::Device<kernel::device::Start<'_>>`
pub fn start<'a>(dev: &'a pci::Device<Core<'_>>) -> Result<Setup<'a>> { //~ pub fn start<'a>(dev: &'a pci::Device<Start<'_>>) -> Result<Setup<'a>> {
    dev.dma_setup()
}

//# the set-up for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<Setup<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<Setup<'static>> {
    dev.dma_setup()
}

//# vectors in start | error[E0599]: no method named `alloc_irq_vectors` found for reference `&'a kernel::pci::Device<kernel::device::Start<'_>>`
pub fn start<'a>(dev: &'a pci::Device<Core<'_>>) -> Result<pci::IrqVectorRegistration<'a>> { //~ pub fn start<'a>(dev: &'a pci::Device<Start<'_>>) -> Result<pci::IrqVectorRegistration<'a>> {
    dev.alloc_irq_vectors(1, 1, pci::IrqTypes::all())
}

//# a handler that is not for several threads | error[E0277]: `Cell<u32>` cannot be shared between threads safely
pub struct H(core::sync::atomic::AtomicU32); //~ pub struct H(core::cell::Cell<u32>);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}

//# a threaded handler that is not for several threads | error[E0277]: `Cell<u32>` cannot be shared between threads safely
pub struct H(core::sync::atomic::AtomicU32); //~ pub struct H(core::cell::Cell<u32>);
impl irq::ThreadedHandler for H {
    fn handle(&self) -> irq::ThreadedIrqReturn {
        irq::ThreadedIrqReturn::WakeThread
    }
    fn handle_threaded(&self) -> IrqReturn {
        IrqReturn::None
    }
}

//# a threaded handler that is a local variable of start | error[E0597]: `local` does not live long enough
pub struct H(u32);
impl irq::ThreadedHandler for H {
    fn handle(&self) -> irq::ThreadedIrqReturn {
        irq::ThreadedIrqReturn::WakeThread
    }
    fn handle_threaded(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result {
    let local = H(1);
    dev.request_threaded_irq(vector, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_threaded_irq(vector, irq::Flags::SHARED, c"test", &local)
}

//# a platform driver's handler that is a local variable of start | error[E0597]: `local` does not live long enough
use kernel::platform;
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &platform::Device<Start<'data>>, data: Pin<&'data H>, irq: &'data irq::IrqRequest<'_>) -> Result {
    let local = H(1);
    dev.request_irq(irq, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_irq(irq, irq::Flags::SHARED, c"test", &local)
}

//# a handler for an interrupt of start's own | error[E0597]: `local` does not live long enough
use kernel::platform;
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &platform::Device<Start<'data>>, data: Pin<&'data H>, irq: &'data irq::IrqRequest<'_>) -> Result {
    let local = dev.irq_by_index(0)?;
    dev.request_irq(irq, irq::Flags::SHARED, c"test", data.get_ref()) //~ dev.request_irq(&local, irq::Flags::SHARED, c"test", data.get_ref())
}

//# an interrupt of a platform device, kept for ever | error[E0521]: borrowed data escapes outside of function
use kernel::platform;
pub fn keep(_: irq::IrqRequest<'static>) {}
pub fn look(_: irq::IrqRequest<'_>) {}
pub fn probe<'bound>(dev: &'bound platform::Device<Core<'_>>) -> Result {
    look(dev.irq_by_index(0)?); //~ keep(dev.irq_by_index(0)?);
    Ok(())
}

//# registers of a platform device, kept for ever | error[E0521]: borrowed data escapes outside of function
use kernel::{io::mem::ExclusiveIoMem, platform};
pub fn keep(_: ExclusiveIoMem<'static, 4>) {}
pub fn look(_: ExclusiveIoMem<'_, 4>) {}
pub fn probe<'bound>(dev: &'bound platform::Device<Core<'_>>) -> Result {
    let regs = dev.io_request_by_index(0).ok_or(ENODEV)?.iomap_exclusive_sized()?;
    look(regs); //~ keep(regs);
    Ok(())
}

//# a platform device said to be at rest, without a claim | error[E0133]: call to unsafe function
use kernel::platform;
pub fn unbind(dev: &platform::Device<Core<'_>>) {
    // SAFETY: Not called.
    unsafe { dev.assume_quiesced(|_| ()) } //~ dev.assume_quiesced(|_| ())
}

//# a name that no device tree has | `compatible` is of 1 to 127 bytes
use kernel::of;
kernel::of_device_table!(TABLE, (), [(of::DeviceId::new(c"vendor,device"), ())]); //~ kernel::of_device_table!(TABLE, (), [(of::DeviceId::new(c""), ())]);
pub const USED: of::IdTable<()> = &TABLE;

//# a handler that changes its data without a lock | error[E0594]: cannot assign to `self.0`, which is behind a `&` reference
pub struct H(core::sync::atomic::AtomicU32); //~ pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        self.0.store(1, core::sync::atomic::Ordering::Relaxed); //~ self.0 = 1;
        IrqReturn::None
    }
}

//# the data kept in a static by its handler | error[E0521]: borrowed data escapes outside of method
pub struct H<'bound>(pci::Bar<'bound, 4>);
pub fn keep(_: &pci::Bar<'static, 4>) {}
pub fn look(_: &pci::Bar<'_, 4>) {}
impl irq::Handler for H<'_> {
    fn handle(&self) -> IrqReturn {
        look(&self.0); //~ keep(&self.0);
        IrqReturn::None
    }
}

//# the data kept by start for longer than 'data | lifetime may not live long enough
pub struct D;
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
pub struct Invariant<'bound>(core::cell::Cell<Option<&'bound u32>>, u32);
impl<'bound> Invariant<'bound> {
    fn keep(&self, kept: &'bound u32) { self.0.set(Some(kept)) }
    fn look(&self, seen: &u32) {}
}
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = Invariant<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<Invariant<'bound>, Error> + 'bound {
        Invariant(core::cell::Cell::new(None), 0)
    }
    fn start<'data, 'bound>(_: &pci::Device<Start<'data>>, data: Pin<&'data Invariant<'bound>>) -> Result {
        let data = data.get_ref();
        data.look(&data.1); //~ data.keep(&data.1);
        Ok(())
    }
}

//# the data kept by resume for longer than 'data | lifetime may not live long enough
pub struct D;
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
pub struct Invariant<'bound>(core::cell::Cell<Option<&'bound u32>>, u32);
impl<'bound> Invariant<'bound> {
    fn keep(&self, kept: &'bound u32) { self.0.set(Some(kept)) }
    fn look(&self, seen: &u32) {}
}
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = Invariant<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<Invariant<'bound>, Error> + 'bound {
        Invariant(core::cell::Cell::new(None), 0)
    }
    fn resume<'data, 'bound>(_: &pci::Device<Start<'data>>, data: Pin<&'data Invariant<'bound>>) -> Result {
        let data = data.get_ref();
        data.look(&data.1); //~ data.keep(&data.1);
        Ok(())
    }
}

//# a mapping for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>, buffer: KVec<u8>) -> Result<Mapping<'bound, KVec<u8>, ToDevice>> { //~ pub fn keep<'bound>(dma: Dma<'bound>, buffer: KVec<u8>) -> Result<Mapping<'static, KVec<u8>, ToDevice>> {
    Ok(Mapping::new(dma, buffer)?)
}

//# non-coherent memory for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<NonCoherent<'bound, u32, FromDevice>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<NonCoherent<'static, u32, FromDevice>> {
    NonCoherent::<'bound, u32, FromDevice>::zeroed(dma, GFP_KERNEL)
}

//# a guard for longer than its mapping | error[E0515]: cannot return value referencing function parameter `mapping`
pub fn keep<'bound>(mapping: &'bound mut Mapping<'bound, KVec<u8>, ToDevice>) -> CpuGuard<'bound, [u8], ToDevice> { //~ pub fn keep<'bound>(mut mapping: Mapping<'bound, KVec<u8>, ToDevice>) -> CpuGuard<'bound, [u8], ToDevice> {
    mapping.for_cpu()
}

//# a mapping in work that outlives the binding | error[E0521]: borrowed data escapes outside of function
fn now<F: FnOnce() + Send>(work: F) { work() }
pub fn later<F: FnOnce() + Send + 'static>(_work: F) {}
pub fn leave(mapping: Mapping<'_, KVec<u8>, ToDevice>) {
    now(move || drop(mapping)); //~ let _ = now::<fn()>; later(move || drop(mapping));
}

//# the DMA handle where it would outlive the binding | error[E0521]: borrowed data escapes outside of function
pub fn leave(dma: Dma<'_>, failed: MapError<KVec<u8>>) {
    fn keep<T: 'static>(_value: T) {}
    keep(failed.into_buffer()); //~ keep((failed.into_buffer(), dma));
}

//# a pool for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<Pool<'bound, u32>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<Pool<'static, u32>> {
    Pool::new(dma, c"pool", 4, 0)
}

//# an object of a counted pool for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(pool: Arc<Pool<'bound, u32>>) -> Result<PoolCoherent<Arc<Pool<'bound, u32>>>> { //~ pub fn keep<'bound>(pool: Arc<Pool<'bound, u32>>) -> Result<PoolCoherent<Arc<Pool<'static, u32>>>> {
    PoolCoherent::zeroed(pool, GFP_KERNEL)
}

//# a scatter-gather table for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dma: Dma<'bound>, pages: Pages) -> Result<SGTable<Owned<'bound, Pages, FromDevice>>> { //~ pub fn keep<'bound>(dma: Dma<'bound>, pages: Pages) -> Result<SGTable<Owned<'static, Pages, FromDevice>>> {
    Ok(SGTable::new(dma, pages, GFP_KERNEL)?)
}

//# a scatter-gather table where it may stay for ever | error[E0521]: borrowed data escapes outside of function
pub fn put<T>(_value: T) {} //~ pub fn put<T: 'static>(_value: T) {}
pub fn keep<'bound>(table: SGTable<Owned<'bound, Pages, FromDevice>>) {
    put(table)
}

//# vectors for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::IrqVectorRegistration<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::IrqVectorRegistration<'static>> {
    dev.alloc_irq_vectors(1, 1, pci::IrqTypes::all())
}

//# a handler for vectors that are freed by start | error[E0597]: `vectors` does not live long enough
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vectors: &'data pci::IrqVectorRegistration<'_>) -> Result { //~ pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vectors: pci::IrqVectorRegistration<'_>) -> Result {
    dev.request_irq(vectors.index(0)?, irq::Flags::SHARED, c"test", data.get_ref())
}

//# a handler for vectors that may be taken out of the data, and freed | error[E0597]: `guard` does not live long enough
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vectors: &'data kernel::sync::Mutex<pci::IrqVectorRegistration<'_>>, kept: pci::IrqVector<'data>) -> Result {
    let guard = vectors.lock();
    let vector = kept; //~ let vector = guard.index(0)?;
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref())
}

//# work for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::Work<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<pci::Work<'static>> {
    kernel::new_pci_work!(dev)
}

//# work on something that is gone before the bus stops it | `local` does not live long enough
pub struct H(u32);
impl pci::WorkHandler for H {
    fn run(&self) { core::hint::black_box(self.0); }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, work: &pci::Work<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.set_work(work, data)?; //~ dev.set_work(work, &local)?;
    drop(local);
    Ok(())
}

//# work on what may not be used by another thread | cannot be shared between threads safely
pub struct H(AtomicU32); //~ pub struct H(Cell<u32>);
use core::{cell::Cell, sync::atomic::AtomicU32};
impl pci::WorkHandler for H {
    fn run(&self) { let _ = (self.0.as_ptr(), core::mem::size_of::<Cell<AtomicU32>>()); }
}

//# work of a platform device for longer than the binding | lifetime may not live long enough
use kernel::platform;
pub fn keep<'bound>(dev: &'bound platform::Device<Core<'_>>) -> Result<platform::Work<'bound>> { //~ pub fn keep<'bound>(dev: &'bound platform::Device<Core<'_>>) -> Result<platform::Work<'static>> {
    kernel::new_platform_work!(dev)
}

//# work of a platform device on something that is gone before the bus stops it | `local` does not live long enough
use kernel::platform;
pub struct H(u32);
impl platform::WorkHandler for H {
    fn run(&self) { core::hint::black_box(self.0); }
}
pub fn start<'data>(dev: &platform::Device<Start<'data>>, work: &platform::Work<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.set_work(work, data)?; //~ dev.set_work(work, &local)?;
    drop(local);
    Ok(())
}

//# a timer for longer than the binding | lifetime may not live long enough
use kernel::driver::HrTimer;
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<HrTimer<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<HrTimer<'static>> {
    dev.new_hrtimer()
}

//# a timer on something that is gone before the bus stops it | `local` does not live long enough
use kernel::{driver::*, time::hrtimer::*};
pub struct H(u32);
impl HrTimerHandler for H {
    fn run(&self, _: HrTimerContext<'_>) -> HrTimerRestart { core::hint::black_box(self.0); HrTimerRestart::NoRestart }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, timer: &HrTimer<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.set_hrtimer(timer, data)?; //~ dev.set_hrtimer(timer, &local)?;
    drop(local);
    Ok(())
}

//# a timer of a platform device on something that is gone before the bus stops it | `local` does not live long enough
use kernel::{driver::*, platform, time::hrtimer::*};
pub struct H(u32);
impl HrTimerHandler for H {
    fn run(&self, _: HrTimerContext<'_>) -> HrTimerRestart { core::hint::black_box(self.0); HrTimerRestart::NoRestart }
}
pub fn start<'data>(dev: &platform::Device<Start<'data>>, timer: &HrTimer<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.set_hrtimer(timer, data)?; //~ dev.set_hrtimer(timer, &local)?;
    drop(local);
    Ok(())
}

//# a timer on what may not be used by an interrupt | cannot be shared between threads safely
use kernel::{driver::*, time::hrtimer::*};
pub struct H(AtomicU32); //~ pub struct H(Cell<u32>);
use core::{cell::Cell, sync::atomic::AtomicU32};
impl HrTimerHandler for H {
    fn run(&self, _: HrTimerContext<'_>) -> HrTimerRestart { let _ = (self.0.as_ptr(), core::mem::size_of::<Cell<AtomicU32>>()); HrTimerRestart::NoRestart }
}

//# a timer moved on when its handler has returned | lifetime may not live long enough
use kernel::{driver::*, sync::SpinLock, time::hrtimer::*};
pub struct H<'a>(SpinLock<Option<HrTimerContext<'a>>>);
impl HrTimerHandler for H<'_> {
    fn run(&self, context: HrTimerContext<'_>) -> HrTimerRestart {
        drop(context); //~ *self.0.lock() = Some(context);
        HrTimerRestart::NoRestart
    }
}

//# a thread for longer than the binding | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<driver::Thread<'bound>> { //~ pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) -> Result<driver::Thread<'static>> {
    dev.new_thread()
}

//# a thread on something that is gone before the bus stops it | `local` does not live long enough
use driver::*;
pub struct H(u32);
impl ThreadHandler for H {
    fn run(&self, _: &ShouldStop<'_>) { core::hint::black_box(self.0); }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, thread: &Thread<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.run_thread(thread, c"test", data)?; //~ dev.run_thread(thread, c"test", &local)?;
    drop(local);
    Ok(())
}

//# a thread of a platform device on something that is gone before the bus stops it | `local` does not live long enough
use driver::*;
use kernel::platform;
pub struct H(u32);
impl ThreadHandler for H {
    fn run(&self, _: &ShouldStop<'_>) { core::hint::black_box(self.0); }
}
pub fn start<'data>(dev: &platform::Device<Start<'data>>, thread: &Thread<'_>, data: &'data H) -> Result {
    let local = H(data.0);
    dev.run_thread(thread, c"test", data)?; //~ dev.run_thread(thread, c"test", &local)?;
    drop(local);
    Ok(())
}

//# a thread on what may not be used by another one | cannot be shared between threads safely
pub struct H(AtomicU32); //~ pub struct H(Cell<u32>);
use core::{cell::Cell, sync::atomic::AtomicU32};
use driver::*;
impl ThreadHandler for H {
    fn run(&self, _: &ShouldStop<'_>) { let _ = (self.0.as_ptr(), core::mem::size_of::<Cell<AtomicU32>>()); }
}

//# what tells a thread to stop, in another one | cannot be sent between threads safely
pub fn other<T: Send>(_: T) {}
pub fn here<T>(_: T) {}
pub fn run(stop: driver::ShouldStop<'_>) {
    here(stop); //~ other(stop);
}
