//# a field that is reached through Deref | error[E0283]: type annotations needed
dma_struct! { pub struct S { pub a: u32 } }
pub struct Other { pub b: u32 }
impl core::ops::Deref for S {
    type Target = Other;
    fn deref(&self) -> &Other { &OTHER }
}
static OTHER: Other = Other { b: 0 };
dma_struct! { pub struct T { pub a: u32 } }
pub fn look(memory: &Coherent<'_, S>, plain: &Coherent<'_, T>) -> u32 {
    let _ = memory.size();
    io_read!(plain, .a) //~ io_read!(memory, .b); io_read!(plain, .a)
}

//# a field of its own of a type that is Deref | error[E0283]: type annotations needed
dma_struct! { pub struct S { pub a: u32 } }
impl core::ops::Deref for S { //~ impl core::ops::Deref for S {
    type Target = u32;
    fn deref(&self) -> &u32 { &0 }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    memory.copy_read().a //~ io_read!(memory, .a)
}

//# a misaligned field of a packed structure | error[E0793]: reference to packed field is unaligned
#[repr(C, packed)]
pub struct S { pub a: u8, pub b: u32, pub c: u8 }
// SAFETY: There is no padding, and all bytes are a value.
unsafe impl kernel::transmute::FromBytes for S {}
// SAFETY: As above.
unsafe impl kernel::transmute::AsBytes for S {}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    u32::from(io_read!(memory, .c)) //~ io_read!(memory, .b)
}

//# a misaligned field of a structure in a packed one | error[E0793]: reference to packed field is unaligned
dma_struct! { pub struct In { pub a: u32 } }
#[repr(C, packed)]
pub struct S { pub a: u8, pub b: In, pub c: u8 }
// SAFETY: There is no padding, and all bytes are a value.
unsafe impl kernel::transmute::FromBytes for S {}
// SAFETY: As above.
unsafe impl kernel::transmute::AsBytes for S {}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    u32::from(io_read!(memory, .a)) //~ io_read!(memory, .b.a)
}

//# two fields in one token | write `.0 .1` for `.0.1`
pub fn look(memory: &Coherent<'_, [u32; 1]>) -> u32 {
    io_read!(memory, [build: 0]) //~ io_read!(memory, [build: 0].0.1)
}

//# a structure as a whole | error[E0277]: there is no single access for a `S` here
dma_struct! { pub struct S { pub a: u32 } }
pub fn look(memory: &Coherent<'_, [S; 1]>) -> u32 {
    io_read!(memory, [build: 0].a) //~ io_read!(memory, [build: 0]).a
}

//# a value of another type | error[E0308]: mismatched types
dma_struct! { pub struct S { pub a: u32 } }
pub fn put(memory: &Coherent<'_, S>, value: u64) {
    io_write!(memory, .a, value as u32) //~ io_write!(memory, .a, value)
}

//# a private field | error[E0616]: field `a` of struct `S` is private
mod other { kernel::dma_struct! { pub struct S { pub a: u32 } } } //~ mod other { kernel::dma_struct! { pub struct S { a: u32 } } impl S { pub fn a(&self) -> u32 { self.a } } }
pub fn look(memory: &Coherent<'_, other::S>) -> u32 {
    io_read!(memory, .a)
}

//# a crate that calls itself core, in the check of a structure | a structure shared with a device must not have padding
#[allow(unused_extern_crates)] extern crate self as core;
#[macro_export] macro_rules! assert { ($($t:tt)*) => {}; }
dma_struct! { pub struct S { pub a: u8, pub b: [u8; 3], pub c: u32 } } //~ dma_struct! { pub struct S { pub a: u8, pub c: u32 } }
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    io_read!(memory, .c)
}

//# a trait of one's own with the methods that the macros call | error[E0034]: multiple applicable items in scope
pub trait Mine: Sized { fn as_view(self) -> u32 { 0 } }
impl Mine for &u32 {} //~ impl Mine for &Coherent<'_, [u32; 4]> {}
pub fn look(memory: &Coherent<'_, [u32; 4]>) -> u32 {
    io_read!(memory, [build: 1])
}

//# a method of one's own for what the macros call | error[E0271]: type mismatch resolving `<CoherentIoBackend as IoBackend>::View<'_, [u32; 4]> == &Coherent<'_, [u32; 4]>`
pub struct Wrap<'a>(pub Coherent<'a, [u32; 4]>);
impl Wrap<'_> { pub fn as_view(&self) -> &Coherent<'_, [u32; 4]> { &self.0 } }
pub fn look(memory: &Wrap<'_>) -> u32 {
    io_read!(memory.0, [build: 1]) //~ io_read!(memory, [build: 1])
}

//# a field of a union that is another | error[E0614]: type `CoherentView<'_, u8>` cannot be dereferenced
#[derive(Clone, Copy)]
#[repr(C)]
pub union U { pub a: u32, pub b: [u8; 4] }
// SAFETY: All of its bytes are of each field.
unsafe impl kernel::transmute::FromBytes for U {}
// SAFETY: As above.
unsafe impl kernel::transmute::AsBytes for U {}
pub fn look(memory: &Coherent<'_, U>) -> u8 {
    io_read!(memory, .b[build: 1]) //~ *io_project!(memory, .b[build: 1])
}

//# code of one's own in an index, taken for that of the macro | error[E0133]: call to unsafe function
unsafe fn danger() -> usize { 0 }
pub fn look(memory: &Coherent<'_, [u32; 4]>) -> u32 {
    // SAFETY: Not called.
    io_read!(memory, [build: unsafe { danger() }]) //~ io_read!(memory, [build: danger()])
}

//# code of one's own in what is accessed, taken for that of the macro | error[E0133]: call to unsafe function
unsafe fn danger<'a, 'b>(memory: &'a Coherent<'b, [u32; 4]>) -> &'a Coherent<'b, [u32; 4]> { memory }
pub fn look(memory: &Coherent<'_, [u32; 4]>) -> u32 {
    // SAFETY: Not called.
    io_read!(unsafe { danger(memory) }, [build: 1]) //~ io_read!(danger(memory), [build: 1])
}

//# code of one's own in a value, taken for that of the macro | error[E0133]: call to unsafe function
unsafe fn danger() -> u32 { 0 }
pub fn put(memory: &Coherent<'_, [u32; 4]>) {
    // SAFETY: Not called.
    io_write!(memory, [build: 1], unsafe { danger() }) //~ io_write!(memory, [build: 1], danger())
}

//# a structure without names of fields | error: dma_struct! takes structures with named fields, without parameters
dma_struct! { pub struct S { pub a: u32 } } //~ dma_struct! { pub struct S(pub u32); }

//# a structure with parameters | error: dma_struct! takes structures with named fields, without parameters
dma_struct! { pub struct S { pub a: u32 } } //~ dma_struct! { pub struct S<T> { pub a: T } }

//# a path that is none | error: a path has fields, `.name`, and indices, `[try: i]`
pub fn look(memory: &Coherent<'_, [u32; 4]>) -> Result<u32> {
    Ok(io_read!(memory, [try: 1])) //~ Ok(io_read!(memory, 1))
}

//# a table without data | error: a table of devices is `pci_device_table!(NAME, Info, [(ID, info), ...])`, with an ID
pub const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);
kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]); //~ kernel::pci_device_table!(TABLE, (), [DEVICE]);
pub const USED: pci::IdTable<()> = &TABLE;

//# a driver's name that is too long | a driver has a name, of 55 bytes at most
pub struct Adapter;
pub const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);
kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for Adapter {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<(), Error> + 'bound {
        pin_init_scope(move || Ok(()))
    }
}
kernel::module_pci_driver! {
    type: Adapter,
    name: "compile", //~ name: "compile_compile_compile_compile_compile_compile_compile_",
    authors: ["A. U. Thor"],
    license: "GPL",
}

//# several authors | error: `authors` is a list, of one on this kernel
pub struct D;
pub const DEVICE: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);
kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);
impl pci::Driver for D {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<()> = &TABLE;
    fn probe<'bound>(_: &'bound pci::Device<Core<'_>>, _: Option<&'bound ()>) -> impl PinInit<(), Error> + 'bound {
        pin_init_scope(move || Ok(()))
    }
}
kernel::module_pci_driver! {
    type: D,
    name: "compile",
    authors: ["A. U. Thor"], //~ authors: ["A. U. Thor", "Another"],
    license: "GPL",
}
