//! The dynamic linker. CANN exists for Linux; elsewhere every library is missing.

#[cfg(unix)]
pub(super) use unix::Shared;

#[cfg(not(unix))]
pub(super) use elsewhere::Shared;

#[cfg(unix)]
mod unix {
    use std::mem::ManuallyDrop;
    use std::path::{Path, PathBuf};

    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY, RTLD_LOCAL};

    /// A loaded library. It is never unloaded: CANN starts threads and registers functions for the
    /// end of the process, which must not find their code gone.
    pub(crate) struct Shared {
        library: ManuallyDrop<Library>,
        file: Option<PathBuf>,
    }

    impl Shared {
        pub(crate) fn open(path: &Path, visible: bool) -> Result<Self, String> {
            let flags = RTLD_LAZY | if visible { RTLD_GLOBAL } else { RTLD_LOCAL };
            // SAFETY: what a library does when it is loaded cannot be known; that those of CANN may
            // be loaded by any program at any time is what their maker offers them for.
            let library = unsafe { Library::open(Some(path), flags) };
            let handle = library.map_err(|error| words(&error))?.into_raw();
            let file = super::file::of(handle);
            // SAFETY: the handle is that of the library opened above, and nobody else has it.
            let library = unsafe { Library::from_raw(handle) };
            Ok(Self { library: ManuallyDrop::new(library), file })
        }

        pub(crate) fn has(&self, symbol: &str) -> bool {
            // SAFETY: the symbol is looked up as a data pointer, and not used.
            let found = unsafe { self.library.get::<*const u8>(symbol) };
            found.is_ok_and(|symbol| !symbol.into_raw().is_null())
        }

        /// The function of that name, unless it is missing or null.
        ///
        /// # Safety
        ///
        /// `F` is a function pointer of the type of that C function.
        pub(crate) unsafe fn function<F: Copy>(&self, symbol: &str) -> Option<F> {
            // SAFETY: the caller promises that `F` is the function's type, and an optional function
            // pointer has the same layout with null for `None`. A symbol outlives its `Symbol`, as
            // the library is never unloaded.
            let found = unsafe { self.library.get::<Option<F>>(symbol) };
            found.ok().and_then(|symbol| *symbol)
        }

        /// The file that was loaded, where the system tells.
        pub(crate) fn file(&self) -> Option<&Path> {
            self.file.as_deref()
        }
    }

    /// What the dynamic linker says. It does not name the file when the file itself is wrong.
    fn words(error: &libloading::Error) -> String {
        let text =
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        text.trim().to_owned()
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::path::{Path, PathBuf};

    /// No library is ever loaded here.
    pub(crate) enum Shared {}

    impl Shared {
        pub(crate) fn open(_path: &Path, _visible: bool) -> Result<Self, String> {
            Err("CANN exists for Linux only".to_owned())
        }

        pub(crate) fn has(&self, _symbol: &str) -> bool {
            match *self {}
        }

        /// # Safety
        ///
        /// None: there is no such library.
        pub(crate) unsafe fn function<F: Copy>(&self, _symbol: &str) -> Option<F> {
            match *self {}
        }

        pub(crate) fn file(&self) -> Option<&Path> {
            match *self {}
        }
    }
}

#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
mod file {
    use std::path::PathBuf;

    pub(super) fn of(_handle: *mut std::ffi::c_void) -> Option<PathBuf> {
        None
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod file {
    use std::ffi::{CStr, OsStr, c_char, c_void};
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;
    use std::ptr;

    /// The beginning of glibc's `struct link_map`, `link.h`: what `RTLD_DI_LINKMAP` gives.
    #[repr(C)]
    struct LinkMap {
        _address: usize,
        name: *const c_char,
    }

    /// The file of a loaded library, as the dynamic linker found it.
    pub(super) fn of(handle: *mut c_void) -> Option<PathBuf> {
        let mut map: *const LinkMap = ptr::null();
        // SAFETY: the handle is that of a loaded library, and this request stores one pointer.
        let code =
            unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast::<c_void>()) };
        if code != 0 || map.is_null() {
            return None;
        }
        // SAFETY: the request succeeded, so it gave the map of a library, which stays loaded.
        let name = unsafe { (*map).name };
        if name.is_null() {
            return None;
        }
        // SAFETY: the name of a loaded library is a string, and nobody changes it.
        let name = unsafe { CStr::from_ptr(name) };
        let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        Some(path.canonicalize().unwrap_or(path))
    }
}
