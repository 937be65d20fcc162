//# bus mastering in probe and unbind | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Core<'_>>`
pub fn probe(dev: &pci::Device<Start<'_>>) { //~ pub fn probe(dev: &pci::Device<Core<'_>>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() }
}

//# bus mastering at any time | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn later(dev: &pci::Device<Start<'_>>) { //~ pub fn later(dev: &pci::Device<Bound>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() }
}

//# bus mastering without a claim | error[E0133]: call to unsafe function
pub fn start(dev: &pci::Device<Start<'_>>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() } //~ dev.set_master()
}

//# a reset in probe and unbind, which would turn bus mastering on | error[E0599]: no method named `reset_and_set_master` found for reference `&kernel::pci::Device<kernel::device::Core<'_>>`
pub fn probe(dev: &pci::Device<Start<'_>>) -> Result { //~ pub fn probe(dev: &pci::Device<Core<'_>>) -> Result {
    dev.reset_and_set_master()
}

//# bus mastering by a driver that is to suspend its device | error[E0053]: method `suspend` has an incompatible type for trait
pub struct D;
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<(), Error> + 'bound {
        kernel::init::pin_init_scope(|| Ok(()))
    }
    fn suspend(dev: &pci::Device<Core<'_>>, _: Pin<&()>) -> Result { //~ fn suspend(dev: &pci::Device<Start<'_>>, _: Pin<&()>) -> Result {
        Ok(())
    }
    fn resume(dev: &pci::Device<Start<'_>>, _: Pin<&()>) -> Result {
        dev.reset_and_set_master()
    }
}

//# a reset at any time | error[E0599]: no method named `reset_and_set_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn later(dev: &pci::Device<Start<'_>>) -> Result { //~ pub fn later(dev: &pci::Device<Bound>) -> Result {
    dev.reset_and_set_master()
}

//# bus mastering turned off, and that taken for a proof, where the device may not answer | error[E0599]: no method named `clear_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn error_detected(dev: &pci::Device<Core<'_>>) -> Result { //~ pub fn error_detected(dev: &pci::Device<Bound>) -> Result {
    dev.clear_master(|_| Ok(()))
}

//# a driver that is told of an error, and asks for more than it gets | error[E0053]: method `error_detected` has an incompatible type for trait
pub struct D;
const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(1), 1);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<(), Error> + 'bound {
        kernel::init::pin_init_scope(|| Ok(()))
    }
    fn error_detected(_: &pci::Device<Bound>, _: Pin<&()>, _: pci::ChannelState) -> pci::ErsResult { //~ fn error_detected(_: &pci::Device<Core<'_>>, _: Pin<&()>, _: pci::ChannelState) -> pci::ErsResult {
        pci::ErsResult::NeedReset
    }
    fn slot_reset(dev: &pci::Device<Start<'_>>, _: Pin<&()>) -> Result {
        dev.reset_and_set_master()
    }
}
