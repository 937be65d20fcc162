//# a type for which not all bytes are a value | error[E0277]: the trait bound `bool: FromBytes` is not satisfied
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<u8>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<bool>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# a character | error[E0277]: the trait bound `char: FromBytes` is not satisfied
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<u32>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<char>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# an enumeration | error[E0277]: the trait bound `E: AsBytes` is not satisfied
pub enum E { A }
pub fn share(dma: Dma<'_>) -> Result {
    let _ = E::A;
    Coherent::<u8>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<E>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# a reference | error[E0277]: the trait bound `&'static u32: AsBytes` is not satisfied
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<u32>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<&'static u32>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# interior mutability | error[E0277]: the trait bound `UnsafeCell<u32>: AsBytes` is not satisfied
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<u32>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<core::cell::UnsafeCell<u32>>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# a structure that was not checked | error[E0277]: the trait bound `S: AsBytes` is not satisfied
dma_struct! { pub struct S { pub a: u32 } } //~ pub struct S { pub a: u32 }
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<S>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# padding | a structure shared with a device must not have padding: `S` has some before `b`
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: u32, //~ pub b: u64,
    }
}

//# padding at the end | a structure shared with a device must not have padding: `S` has some at its end
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: u32, //~ pub b: u16,
    }
}

//# alignment that makes padding | a structure shared with a device must not have padding: `S` has some at its end
dma_struct! {
    #[repr(align(4))] //~ #[repr(align(8))]
    pub struct S { pub a: u32 }
}

//# a field that is no plain data | error[E0277]: the trait bound `bool: FromBytes` is not satisfied
dma_struct! {
    pub struct S {
        pub a: u8, //~ pub a: bool,
    }
}

//# size 0 | a device can't share a type of size 0
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<[u32; 1]>::zeroed(dma, GFP_KERNEL)?; //~ Coherent::<[u32; 0]>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# elements of size 0 | a device can't share a type of size 0
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<[[u32; 1]]>::zeroed_slice(dma, 1, GFP_KERNEL)?; //~ Coherent::<[[u32; 0]]>::zeroed_slice(dma, 1, GFP_KERNEL)?;
    Ok(())
}

//# alignment to more than a page | memory for a device is aligned to a page, and not to more
dma_struct! {
    #[repr(align(4096))] //~ #[repr(align(8192))]
    pub struct S { pub a: [u64; 1024] }
}
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<S>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# a mapping of a vector of vmalloc() | error[E0277]: the trait bound `Vec<u8, Vmalloc>: Mappable` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KVec::<u8>::new())?; //~ Mapping::<_, ToDevice>::new(dma, VVec::<u8>::new())?;
    Ok(())
}

//# a mapping of a vector that may be of vmalloc() | error[E0277]: the trait bound `Vec<u8, KVmalloc>: Mappable` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KVec::<u8>::new())?; //~ Mapping::<_, ToDevice>::new(dma, KVVec::<u8>::new())?;
    Ok(())
}

//# a mapping of a value of vmalloc() | error[E0277]: the trait bound `Box<[u8; 64], Vmalloc>: Mappable` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KBox::new([0u8; 64], GFP_KERNEL)?)?; //~ Mapping::<_, ToDevice>::new(dma, VBox::new([0u8; 64], GFP_KERNEL)?)?;
    Ok(())
}

//# a mapping of a value that may be of vmalloc() | error[E0277]: the trait bound `Box<[u8; 64], KVmalloc>: Mappable` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KBox::new([0u8; 64], GFP_KERNEL)?)?; //~ Mapping::<_, ToDevice>::new(dma, KVBox::new([0u8; 64], GFP_KERNEL)?)?;
    Ok(())
}

//# a mapping of a page that may contain anything | error[E0277]: the trait bound `Page: Mappable` is not satisfied
pub fn map(dma: Dma<'_>, page: kernel::page::Page) -> Result {
    let page = PageBox::try_from(page)?; //~
    Mapping::<_, ToDevice>::new(dma, page)?;
    Ok(())
}

//# a mapping of a type for which not all bytes are a value | error[E0277]: the trait bound `bool: FromBytes` is not satisfied
pub fn map(dma: Dma<'_>, buffer: KVec<u8>) -> Result { //~ pub fn map(dma: Dma<'_>, buffer: KVec<bool>) -> Result {
    Mapping::<_, FromDevice>::new(dma, buffer)?;
    Ok(())
}

//# a mapping of a reference | error[E0277]: the trait bound `&u8: AsBytes` is not satisfied
pub fn map(dma: Dma<'_>, buffer: KBox<u8>) -> Result { //~ pub fn map(dma: Dma<'_>, buffer: KBox<&'static u8>) -> Result {
    Mapping::<_, ToDevice>::new(dma, buffer)?;
    Ok(())
}

//# a mapping of a structure that was not checked | error[E0277]: the trait bound `S: AsBytes` is not satisfied
dma_struct! { pub struct S { pub a: [u32; 16] } } //~ pub struct S { pub a: [u32; 16] }
pub fn map(dma: Dma<'_>, buffer: KBox<S>) -> Result {
    Mapping::<_, Bidirectional>::new(dma, buffer)?;
    Ok(())
}

//# a mapping of memory that was not initialised | error[E0277]: the trait bound `MaybeUninit<[u8; 64]>: AsBytes` is not satisfied
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, FromDevice>::new(dma, KBox::new([0u8; 64], GFP_KERNEL)?)?; //~ Mapping::<_, FromDevice>::new(dma, KBox::<[u8; 64]>::new_uninit(GFP_KERNEL)?)?;
    Ok(())
}

//# a mapping of interior mutability | error[E0277]: the trait bound `UnsafeCell<u32>: AsBytes` is not satisfied
pub fn map(dma: Dma<'_>, buffer: KVec<u32>) -> Result { //~ pub fn map(dma: Dma<'_>, buffer: KVec<core::cell::UnsafeCell<u32>>) -> Result {
    Mapping::<_, ToDevice>::new(dma, buffer)?;
    Ok(())
}

//# a mapping of size 0 | a device can't share a type of size 0
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KBox::new([0u8; 1], GFP_KERNEL)?)?; //~ Mapping::<_, ToDevice>::new(dma, KBox::new([0u8; 0], GFP_KERNEL)?)?;
    Ok(())
}

//# a mapping of elements of size 0 | a device can't share a type of size 0
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KVec::<[u8; 1]>::new())?; //~ Mapping::<_, ToDevice>::new(dma, KVec::<[u8; 0]>::new())?;
    Ok(())
}

//# a mapping of less than a cache line that the device writes | memory that a device writes has to fill a cache line
pub fn map(dma: Dma<'_>) -> Result {
    Mapping::<_, ToDevice>::new(dma, KBox::new(0u32, GFP_KERNEL)?)?; //~ Mapping::<_, FromDevice>::new(dma, KBox::new(0u32, GFP_KERNEL)?)?;
    Ok(())
}

//# non-coherent memory for which not all bytes are a value | error[E0277]: the trait bound `bool: FromBytes` is not satisfied
pub fn share(dma: Dma<'_>) -> Result {
    NonCoherent::<u8, FromDevice>::zeroed(dma, GFP_KERNEL)?; //~ NonCoherent::<bool, FromDevice>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# non-coherent memory of size 0 | a device can't share a type of size 0
pub fn share(dma: Dma<'_>) -> Result {
    NonCoherent::<[[u32; 1]], FromDevice>::zeroed_slice(dma, 1, GFP_KERNEL)?; //~ NonCoherent::<[[u32; 0]], FromDevice>::zeroed_slice(dma, 1, GFP_KERNEL)?;
    Ok(())
}

//# non-coherent memory that is to be had back as a buffer | error[E0599]: the method `unmap_quiesced` exists for struct `Mapping<'_, Allocated<u32>, FromDevice>`, but its trait bounds were not satisfied
pub fn end(memory: NonCoherent<'_, u32, FromDevice>, proof: &Quiesced<'_>) {
    drop(memory); //~ drop(memory.unmap_quiesced(proof));
}

//# a table of elements with padding | error[E0277]: the trait bound `S: AsBytes` is not satisfied
dma_struct! { pub struct S { pub a: u32, pub b: u16, pub c: u16 } } //~ #[repr(C)] pub struct S { pub a: u32, pub b: u16 }
pub fn map(dma: Dma<'_>, memory: VVec<S>) -> Result {
    SGTable::<Owned<'_, _, ToDevice>>::new(dma, memory, GFP_KERNEL)?;
    Ok(())
}

//# a table of elements for which not all bytes are a value | error[E0277]: the trait bound `bool: FromBytes` is not satisfied
pub fn map(dma: Dma<'_>, memory: VVec<u8>) -> Result { //~ pub fn map(dma: Dma<'_>, memory: VVec<bool>) -> Result {
    SGTable::<Owned<'_, _, FromDevice>>::new(dma, memory, GFP_KERNEL)?;
    Ok(())
}

//# a table of elements of size 0 | a device can't share a type of size 0
pub fn map(dma: Dma<'_>, memory: VVec<[u8; 1]>) -> Result { //~ pub fn map(dma: Dma<'_>, memory: VVec<[u8; 0]>) -> Result {
    SGTable::<Owned<'_, _, FromDevice>>::new(dma, memory, GFP_KERNEL)?;
    Ok(())
}

//# a table of memory from kmalloc() | error[E0277]: the trait bound `Vec<u8, Kmalloc>: SGMemory` is not satisfied
pub fn map(dma: Dma<'_>, memory: VVec<u8>) -> Result { //~ pub fn map(dma: Dma<'_>, memory: KVec<u8>) -> Result {
    SGTable::<Owned<'_, _, FromDevice>>::new(dma, memory, GFP_KERNEL)?;
    Ok(())
}

//# a table of memory that may be from kmalloc() | error[E0277]: the trait bound `Vec<u8, KVmalloc>: SGMemory` is not satisfied
pub fn map(dma: Dma<'_>, memory: VVec<u8>) -> Result { //~ pub fn map(dma: Dma<'_>, memory: KVVec<u8>) -> Result {
    SGTable::<Owned<'_, _, FromDevice>>::new(dma, memory, GFP_KERNEL)?;
    Ok(())
}

//# a pool of a structure that was not checked | error[E0277]: the trait bound `S: AsBytes` is not satisfied
dma_struct! { pub struct S { pub a: u32 } } //~ pub struct S { pub a: u32 }
pub fn pool(dma: Dma<'_>) -> Result {
    Pool::<S>::new(dma, c"pool", 4, 0)?;
    Ok(())
}

//# a pool of nothing | a device can't share a type of size 0
pub fn pool(dma: Dma<'_>) -> Result {
    Pool::<[u32; 1]>::new(dma, c"pool", 4, 0)?; //~ Pool::<[u32; 0]>::new(dma, c"pool", 4, 0)?;
    Ok(())
}

//# a pool of slices of nothing | a device can't share a type of size 0
pub fn pool(dma: Dma<'_>) -> Result {
    Pool::<[[u32; 1]]>::new_slice(dma, c"pool", 1, 4, 0)?; //~ Pool::<[[u32; 0]]>::new_slice(dma, c"pool", 1, 4, 0)?;
    Ok(())
}

//# a way of one's own to refer to a pool | error[E0277]: the trait bound `Mine<'_>: dma::pool::private::Sealed` is not satisfied
pub struct Mine<'a>(&'a Pool<'a, u32>);
pub fn pool() {} //~ unsafe impl PoolRef for Mine<'_> { type Object = u32; fn pool(&self) -> &Pool<'_, u32> { self.0 } }

//# a structure that is another than was checked | error[E0277]: the trait bound `!: dma::plain::Same<u32>` is not satisfied
pub trait Out { type T; }
impl<R> Out for fn() -> R { type T = R; }
pub type Never = <fn() -> ! as Out>::T;
dma_struct! { pub struct T { pub a: u64, pub b: u32, pub c: u32 } } //~ #[repr(C)] pub struct S { pub a: u64, pub b: u32, pub never: Never }
pub fn first() {} //~ dma_struct! { #[cfg(any())] pub struct S { pub a: u64, pub b: u32, pub never: u32 } }

//# accesses of a driver's own, which need not do what they say | error[E0200]: the trait `IoCopyable` requires an `unsafe impl` declaration
use core::marker::PhantomData;
use kernel::{io::{IoBackend, IoCopyable}, ptr::KnownSize};
pub struct View<'a, T: ?Sized>(*mut T, PhantomData<&'a ()>);
impl<T: ?Sized> Clone for View<'_, T> { fn clone(&self) -> Self { *self } }
impl<T: ?Sized> Copy for View<'_, T> {}
pub struct Mine;
impl IoBackend for Mine {
    type View<'a, T: ?Sized + KnownSize> = View<'a, T>;
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: Self::View<'a, T>) -> *mut T { view.0 }
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(_: Self::View<'a, T>, ptr: *mut U) -> Self::View<'a, U> { View(ptr, PhantomData) }
}
// SAFETY: Not called.
unsafe impl IoCopyable for Mine { //~ impl IoCopyable for Mine {
    unsafe fn copy_from_io(_: Self::View<'_, [u8]>, _: *mut u8) {}
    unsafe fn copy_to_io(_: Self::View<'_, [u8]>, _: *const u8) {}
}
impl<'a, T: ?Sized + KnownSize> IoBase<'a> for View<'a, T> {
    type Backend = Mine;
    type Target = T;
    fn as_view(self) -> Self { self }
}

//# an integer in the byte order of a device, taken for one in that of the CPU | error[E0308]: mismatched types
use kernel::byteorder::Le32;
pub fn len(len: Le32) -> u32 {
    len.to_cpu() //~ len
}

//# an integer in one byte order, taken for one in the other | error[E0308]: mismatched types
use kernel::byteorder::{Be32, Le32};
dma_struct! {
    pub struct S { pub a: Le32 }
}
pub fn set(memory: Coherent<'_, S>, value: Be32) {
    io_write!(memory, .a, Le32::from_cpu(value.to_cpu())); //~ io_write!(memory, .a, value);
}
