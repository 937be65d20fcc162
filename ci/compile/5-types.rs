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

//# padding | a structure shared with a device must not have padding
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: u32, //~ pub b: u64,
    }
}

//# padding at the end | a structure shared with a device must not have padding
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: u32, //~ pub b: u16,
    }
}

//# alignment that makes padding | a structure shared with a device must not have padding
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

//# alignment to more than a page | coherent memory is aligned to a page, and not to more
dma_struct! {
    #[repr(align(4096))] //~ #[repr(align(8192))]
    pub struct S { pub a: [u64; 1024] }
}
pub fn share(dma: Dma<'_>) -> Result {
    Coherent::<S>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}
