//# an area to be mapped in, which is kept | error[E0521]: borrowed data escapes outside of method
pub struct H;
#[vtable]
impl MiscHandler for H {
    fn mmap(&self, area: MmapArea<'_>) -> Result {
        now(area) //~ keep(area)
    }
}
pub fn now(_: MmapArea<'_>) -> Result { Ok(()) }
pub fn keep(_: MmapArea<'static>) -> Result { Ok(()) }

//# an area to be mapped in, by another thread | between threads safely
pub fn send<T>(_: T) {} //~ pub fn send<T: Send>(_: T) {}
pub fn give(area: MmapArea<'_>) { send(area) }

//# an area that is mapped twice | error[E0382]: use of moved value: `area`
pub fn map(area: MmapArea<'_>, memory: &UserCoherent<'_>) -> Result {
    area.map(memory, 0) //~ area.map(memory, 0)?; area.map(memory, 0)
}

//# memory that is not for user space | error[E0308]: mismatched types
pub fn map(area: MmapArea<'_>, memory: &UserCoherent<'_>, other: &NonCoherent<'_, [u8], FromDevice>) -> Result {
    area.map(memory, 0) //~ area.map(other, 0)
}

//# a reference to memory that user space may write | error[E0599]: the method `as_ref` exists for reference `&UserCoherent<'_>`, but its trait bounds were not satisfied
pub fn first(memory: &UserCoherent<'_>, bytes: &mut [u8]) {
    memory.copy_to_slice(bytes) //~ bytes.copy_from_slice(unsafe { memory.as_ref() })
}

//# memory for user space, for longer than the driver is bound | error: lifetime may not live long enough
pub struct Keep<T>(T);
pub fn keep<'bound>(memory: UserCoherent<'bound>) -> Keep<UserCoherent<'bound>> { //~ pub fn keep<'bound>(memory: UserCoherent<'bound>) -> Keep<UserCoherent<'static>> {
    Keep(memory)
}

//# what user space calls, in memory that is dropped before the driver's data | error[E0597]: `local` does not live long enough
pub struct H(u32);
#[vtable]
impl MiscHandler for H {}
pub fn start<'data>(dev: &pci::Device<Start<'data>>, data: &'data H, misc: &driver::Misc<'_>) -> Result {
    let local = H(1);
    dev.register_misc(misc, c"test", data) //~ dev.register_misc(misc, c"test", &local)
}

//# what user space calls, for one thread alone | error[E0277]: `Cell<u32>` cannot be shared between threads safely
pub struct H(u32); //~ pub struct H(core::cell::Cell<u32>);
#[vtable]
impl MiscHandler for H {}

//# a file for user space before there is data | error[E0599]: no method named `register_misc` found
pub struct H;
#[vtable]
impl MiscHandler for H {}
pub fn begin<'data>(dev: &pci::Device<Start<'data>>, data: &'data H, misc: &driver::Misc<'_>) -> Result { //~ pub fn begin<'data>(dev: &'data pci::Device<Core<'_>>, data: &'data H, misc: &driver::Misc<'_>) -> Result {
    dev.register_misc(misc, c"test", data)
}
