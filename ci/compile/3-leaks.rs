//# a registration that may be leaked | error[E0133]: call to unsafe function
pub fn keep(registration: driver::Registration<pci::Adapter<D>>) { core::mem::forget(registration) }
pub fn register(module: &'static ThisModule) -> impl PinInit<driver::Registration<pci::Adapter<D>>, Error> {
    // SAFETY: Not called.
    unsafe { driver::Registration::new(c_str!("test"), module) } //~ driver::Registration::new(c_str!("test"), module)
}
pub struct D;
kernel::pci_device_table!(TABLE, (), [(pci::DeviceId::from_id(1, 1), ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = TABLE;
    fn probe<'bound>(_: &pci::Device<Core<'bound>>, _: &'static (), _: Setup<'bound>) -> Result<impl PinInit<(), Error>> {
        Ok(())
    }
}

//# a registration of a handler to be leaked | error[E0308]: `?` operator has incompatible types
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>) -> Result {
    dev.request_irq(0, c_str!("test"), data.get_ref())?; //~ core::mem::forget::<KBox<H>>(dev.request_irq(0, c_str!("test"), data.get_ref())?);
    Ok(())
}

//# a handler that start may leak, in memory that it borrows | error[E0505]: cannot move out of `local` because it is borrowed
pub struct H(u32);
impl irq::Handler for H {
    fn handle(&self) -> IrqReturn {
        IrqReturn::None
    }
}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data H>) -> Result {
    let local = KBox::new(H(1), GFP_KERNEL)?;
    dev.request_irq(0, c_str!("test"), data.get_ref())?; //~ dev.request_irq(0, c_str!("test"), &*local)?;
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

//# a buffer of a driver's own, which need not own anything | error[E0277]: the trait bound `Mine: dma::streaming::private::Sealed` is not satisfied
pub struct Mine;
unsafe impl Send for Mine {} //~ unsafe impl Backing for Mine { type Memory = u8; }

//# a direction of a driver's own, such as none | error[E0277]: the trait bound `None: dma::direction::private::Sealed` is not satisfied
pub enum None {}
impl Copy for None {} //~ impl DataDirection for None { const RAW: kernel::bindings::dma_data_direction = 3; }
impl Clone for None { fn clone(&self) -> Self { *self } } //~
