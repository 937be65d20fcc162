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
