//# a constant index past the end | index out of range of an array shared with a device
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> u32 {
    dma_read!(ring, [3]) //~ dma_read!(ring, [4])
}

//# a constant index past the end of an inner array | index out of range of an array shared with a device
pub fn look(ring: &Coherent<'_, [[u32; 2]; 4]>) -> u32 {
    dma_read!(ring, [3][1]) //~ dma_read!(ring, [3][2])
}

//# an index into an array of length 0 | index out of range of an array shared with a device
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: [u32; 1], //~ pub b: [u32; 0],
    }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    dma_read!(memory, .b[0])
}

//# a constant index into a slice | error[E0599]: no method named `index` found for struct `Place<'_, [u32]>`
pub fn look(ring: &Coherent<'_, [u32]>) -> Result<u32> {
    Ok(dma_read!(ring, [3]?)) //~ Ok(dma_read!(ring, [3]))
}

//# an index that is not constant, unchecked | error[E0435]: attempt to use a non-constant value in a constant
pub fn look(ring: &Coherent<'_, [u32; 4]>, i: usize) -> Result<u32> {
    Ok(dma_read!(ring, [i]?)) //~ Ok(dma_read!(ring, [i]))
}

//# a checked index where no error can be returned | error[E0277]: the `?` operator can only be used in a function that returns `Result` or `Option`
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> u32 {
    dma_read!(ring, [3]) //~ dma_read!(ring, [3]?)
}

//# a constant index out of range, in a pool | index out of range of an array shared with a device
pub fn read(object: &PoolCoherent<&Pool<'_, [u32; 4]>>) -> u32 {
    dma_read!(object, [3]) //~ dma_read!(object, [4])
}
