//! What a `no_std` component needs besides its logic: an allocator, the canonical ABI's `realloc`, a panic handler.
//!
//! The allocator is the one of wasi-libc, which is linked anyway. Reaching the panic handler traps; nothing in the
//! library is meant to.

use core::{
    alloc::{GlobalAlloc, Layout},
    ffi::c_void,
};

/// Alignment that `malloc` gives without being asked.
const MALLOC_ALIGN: usize = 16;

#[link(name = "c")]
unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void;
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free(pointer: *mut c_void);
}

struct Libc;

// SAFETY: each function passes on to its counterpart in libc, which keeps the contract of `GlobalAlloc` for alignments
// up to `MALLOC_ALIGN`; larger ones go through `aligned_alloc` with a size rounded up to the alignment, as C asks.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC_ALIGN {
            // SAFETY: `malloc` may be called with any size.
            return unsafe { malloc(layout.size()) }.cast();
        }
        match layout.size().checked_next_multiple_of(layout.align()) {
            // SAFETY: the alignment is a power of two, and the size a multiple of it.
            Some(size) => unsafe { aligned_alloc(layout.align(), size) }.cast(),
            None => core::ptr::null_mut(),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC_ALIGN {
            // SAFETY: `calloc` may be called with any size.
            return unsafe { calloc(1, layout.size()) }.cast();
        }
        // SAFETY: the caller keeps the contract of `alloc`; what it returned has `size` bytes.
        unsafe {
            let pointer = self.alloc(layout);
            if !pointer.is_null() {
                pointer.write_bytes(0, layout.size());
            }
            pointer
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _layout: Layout) {
        // SAFETY: the pointer came from one of libc's allocation functions.
        unsafe { free(pointer.cast()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() <= MALLOC_ALIGN {
            // SAFETY: the pointer came from one of libc's allocation functions.
            return unsafe { realloc(pointer.cast(), new_size) }.cast();
        }
        // SAFETY: the alignment is valid, as it was one of a layout; both blocks have at least the copied bytes.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(pointer, layout.size().min(new_size));
                self.dealloc(pointer, layout);
            }
            new
        }
    }
}

#[global_allocator]
static ALLOCATOR: Libc = Libc;

/// The canonical ABI's way to get memory in here for arguments and results.
///
/// # Safety
/// As the canonical ABI has it: `old` is null, or came from here with this `old_len` and `align`.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    if new_len == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI passes alignments that are powers of two, and sizes that fit into memory.
    let pointer = unsafe {
        if old_len == 0 {
            ALLOCATOR.alloc(Layout::from_size_align_unchecked(new_len, align))
        } else {
            ALLOCATOR.realloc(old, Layout::from_size_align_unchecked(old_len, align), new_len)
        }
    };
    if pointer.is_null() {
        // There is no other way to refuse: the memory that the host allows is used up.
        core::arch::wasm32::unreachable();
    }
    pointer
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
