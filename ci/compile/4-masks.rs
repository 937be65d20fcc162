//# an allocation before the set-up is finished | error[E0308]: mismatched types
pub fn early(setup: Setup<'_>) -> Result {
    let dma = setup.finish()?; //~ let dma = setup;
    Coherent::<u32>::zeroed(dma, GFP_KERNEL)?;
    Ok(())
}

//# a mask that is set afterwards | error[E0382]: borrow of moved value: `setup`
pub fn late(mut setup: Setup<'_>) -> Result {
    setup.set_mask_and_coherent(DmaMask::new::<32>())?; //~ let _ = setup.finish()?;
    let _ = setup.finish()?; //~ setup.set_mask_and_coherent(DmaMask::new::<32>())?;
    Ok(())
}

//# a mask that is set through a shared reference | error[E0596]: cannot borrow `*setup` as mutable, as it is behind a `&` reference
pub fn shared(setup: &mut Setup<'_>) -> Result { //~ pub fn shared(setup: &Setup<'_>) -> Result {
    setup.set_mask(DmaMask::new::<32>())
}

//# a second set-up | error[E0599]: no method named `clone` found for struct `kernel::dma::Setup`
pub fn twice<'bound>(setup: Setup<'bound>) -> Setup<'bound> {
    setup //~ setup.clone()
}

//# a mask of no bits | a DMA mask has at least 1 bit and at most 64
pub fn none() -> DmaMask {
    DmaMask::new::<1>() //~ DmaMask::new::<0>()
}

//# a mask of 65 bits | a DMA mask has at least 1 bit and at most 64
pub fn wide() -> DmaMask {
    DmaMask::new::<64>() //~ DmaMask::new::<65>()
}

//# a set-up that is kept for start, or for a handler | error[E0277]: `*const ()` cannot be sent between threads safely
pub fn send<T: Send>(_value: T) {}
pub fn keep<'bound>(dma: Dma<'bound>, setup: Setup<'bound>) {
    send(dma) //~ send(setup)
}
