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
