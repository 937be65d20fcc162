//# a registration that may be leaked | error[E0133]: call to unsafe function
pub fn keep(registration: driver::Registration<pci::Adapter<D>>) { core::mem::forget(registration) }
pub fn register(module: &'static ThisModule) -> impl PinInit<driver::Registration<pci::Adapter<D>>, Error> {
    // SAFETY: Not called.
    unsafe { driver::Registration::new(kernel::c_str!("test"), module) } //~ driver::Registration::new(kernel::c_str!("test"), module)
}
pub struct D;
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<(), Error> + 'bound {
        pin_init_scope(|| Ok(()))
    }
}

//# a registration of a handler to be leaked | error[E0308]: `?` operator has incompatible types
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result {
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref())?; //~ core::mem::forget::<KBox<H>>(dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref())?);
    Ok(())
}

//# a handler that start may leak, in memory that it borrows | error[E0505]: cannot move out of `local` because it is borrowed
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>, vector: pci::IrqVector<'data>) -> Result {
    let local = KBox::new(H(1), GFP_KERNEL)?;
    dev.request_irq(vector, irq::Flags::SHARED, c"test", data.get_ref())?; //~ dev.request_irq(vector, irq::Flags::SHARED, c"test", &*local)?;
    core::mem::forget(local);
    Ok(())
}

//# a mapping of a borrowed buffer, which a leak would outlive | error[E0277]: the trait bound `&mut Vec<u8, Kmalloc>: Mappable` is not satisfied
pub fn map(dma: Dma<'_>, mut buffer: KVec<u8>) -> Result {
    Mapping::<_, ToDevice>::new(dma, buffer)?; //~ Mapping::<_, ToDevice>::new(dma, &mut buffer)?;
    Ok(())
}

//# a mapping of a borrowed slice | error[E0277]: the trait bound `&mut [u8]: Mappable` is not satisfied
pub fn map(dma: Dma<'_>, mut buffer: KVec<u8>) -> Result {
    Mapping::<_, ToDevice>::new(dma, buffer)?; //~ Mapping::<_, ToDevice>::new(dma, &mut buffer[..])?;
    Ok(())
}

//# a mapping of memory on the stack | error[E0277]: the trait bound `[u8; 64]: Mappable` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KBox::new([0u8; 64], GFP_KERNEL)?)?; //~ Mapping::<_, ToDevice>::new(dma, [0u8; 64])?;
    Ok(())
}

//# a direction of a driver's own, such as none | error[E0277]: the trait bound `None: dma::direction::private::Sealed` is not satisfied
pub enum None {}
impl Copy for None {} //~ impl Direction for None { const RAW: kernel::bindings::dma_data_direction = 3; }
impl Clone for None { fn clone(&self) -> Self { *self } } //~

//# an object for longer than its pool | error[E0515]: cannot return value referencing local variable `pool`
pub fn keep<'bound>(dma: Dma<'bound>) -> Result<PoolCoherent<Arc<Pool<'bound, u32>>>> { //~ pub fn keep<'bound>(dma: Dma<'bound>) -> Result<PoolCoherent<&'bound Pool<'bound, u32>>> {
    let pool = Pool::<u32>::new(dma, c"pool", 4, 0)?;
    let pool = Arc::new(pool, GFP_KERNEL)?; //~
    PoolCoherent::zeroed(pool, GFP_KERNEL) //~ PoolCoherent::zeroed(&pool, GFP_KERNEL)
}

//# a pool that is dropped before its objects | error[E0505]: cannot move out of `pool` because it is borrowed
pub fn reorder(pool: Pool<'_, u32>) -> Result {
    let object = PoolBox::zeroed(&pool, GFP_KERNEL)?;
    drop(object); //~ drop(pool);
    drop(pool); //~ drop(object);
    Ok(())
}

//# a pool that is dropped while a leaked object may be used | error[E0505]: cannot move out of `pool` because it is borrowed
pub fn leak(pool: Pool<'_, u32>) -> Result {
    let object = KBox::new(PoolCoherent::zeroed(&pool, GFP_KERNEL)?, GFP_KERNEL)?;
    let object = KBox::leak(object);
    object.write_val(1); //~ drop(pool);
    drop(pool); //~ object.write_val(1);
    Ok(())
}

//# an object that is kept beside the pool that it borrows | error[E0505]: cannot move out of `pool` because it is borrowed
pub struct Data<'bound> {
    object: PoolCoherent<Arc<Pool<'bound, u32>>>, //~ object: PoolCoherent<&'bound Pool<'bound, u32>>,
    pool: Arc<Pool<'bound, u32>>, //~ pool: Pool<'bound, u32>,
}
pub fn keep<'bound>(pool: Arc<Pool<'bound, u32>>) -> Result<Data<'bound>> { //~ pub fn keep<'bound>(pool: Pool<'bound, u32>) -> Result<Data<'bound>> {
    let object = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?; //~ let object = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
    Ok(Data { object, pool })
}

//# a table of memory that is only borrowed | error[E0277]: the trait bound `&mut Vec<u8, Vmalloc>: SGMemory` is not satisfied
pub fn map<'bound>(dma: Dma<'bound>, mut memory: VVec<u8>) -> Result {
    SGTable::<Owned<'_, _, ToDevice>>::new(dma, memory, GFP_KERNEL)?; //~ SGTable::<Owned<'_, _, ToDevice>>::new(dma, &mut memory, GFP_KERNEL)?;
    Ok(())
}

//# a mapping of somebody's own that borrows, which would be kept for longer | error[E0478]: lifetime bound not satisfied
pub struct Mine<'a>(KBox<[u8; 64]>, &'a u32);
// SAFETY: Not called.
unsafe impl Backing for Mine<'static> { type Memory = [u8; 64]; } //~ unsafe impl Backing for Mine<'_> { type Memory = [u8; 64]; }
