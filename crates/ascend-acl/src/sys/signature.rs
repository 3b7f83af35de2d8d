//! Prototypes as text, spelled as in C.

/// The library that has a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Library {
    /// Runtime: devices, streams, memory, graphs.
    Runtime,
    /// Tensors, scalars, executors.
    Base,
    /// Operators on elements and shapes.
    Math,
    /// Operators of neural networks: products, norms, indices.
    Nn,
    /// Operators of transformers: attention, experts, rotary positions.
    Transformer,
    /// Collectives.
    Collectives,
    /// Communicators.
    Communicators,
    /// Telemetry, part of the driver.
    Telemetry,
}

impl Library {
    /// The file name from CANN 8.5 on.
    #[must_use]
    pub fn soname(self) -> &'static str {
        match self {
            Self::Runtime => "libacl_rt.so",
            Self::Base => "libnnopbase.so",
            Self::Math => "libopapi_math.so",
            Self::Nn => "libopapi_nn.so",
            Self::Transformer => "libopapi_transformer.so",
            Self::Collectives => "libhccl.so",
            Self::Communicators => "libhcomm.so",
            Self::Telemetry => "libdcmi.so",
        }
    }

    /// The file name up to CANN 8.3.
    #[must_use]
    pub fn soname_before_8_5(self) -> &'static str {
        match self {
            Self::Runtime => "libascendcl.so",
            Self::Math | Self::Nn | Self::Transformer => "libopapi.so",
            Self::Collectives | Self::Communicators => "libhccl.so",
            Self::Base | Self::Telemetry => self.soname(),
        }
    }
}

/// The prototype of a C function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// Symbol name.
    pub name: &'static str,
    /// The library that has it.
    pub library: Library,
    /// First CANN release known to have it; `head` is what was published after 9.1.
    pub since: &'static str,
    pub(super) returns: &'static str,
    pub(super) params: &'static [(&'static str, &'static str)],
}

impl Signature {
    /// The C type of the result.
    #[must_use]
    pub fn returns(&self) -> String {
        c_type(self.returns)
    }

    /// Names and C types of the parameters, in order.
    #[must_use]
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&'static str, String)> + use<> {
        self.params.iter().map(|(name, rust)| (*name, c_type(rust)))
    }

    /// The whole prototype, such as `aclError aclrtFree(void *devPtr);`.
    #[must_use]
    pub fn prototype(&self) -> String {
        let params: Vec<_> = self.params().map(|(name, c)| declaration(&c, name)).collect();
        let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
        format!("{}({params});", declaration(&self.returns(), self.name))
    }
}

fn declaration(c_type: &str, name: &str) -> String {
    let gap = if c_type.ends_with('*') { "" } else { " " };
    format!("{c_type}{gap}{name}")
}

/// The C spelling of a type of an interface, given as Rust spells it.
///
/// ```
/// use ascend_acl::sys::c_type;
///
/// assert_eq!(c_type("*const aclTensor"), "const aclTensor *");
/// assert_eq!(c_type("*mut *mut c_void"), "void **");
/// assert_eq!(c_type("*const *const aclTensor"), "const aclTensor *const *");
/// assert_eq!(c_type("u64"), "uint64_t");
/// ```
#[must_use]
pub fn c_type(rust: &str) -> String {
    let rust = rust.trim();
    // A `*const` makes what it points at constant: `const` stands behind a pointer in C, and by
    // custom before a name.
    if let Some(target) = rust.strip_prefix("*const ") {
        let target = c_type(target);
        if target.ends_with('*') { format!("{target}const *") } else { format!("const {target} *") }
    } else if let Some(target) = rust.strip_prefix("*mut ") {
        let target = c_type(target);
        let gap = if target.ends_with('*') { "" } else { " " };
        format!("{target}{gap}*")
    } else {
        c_name(rust).to_owned()
    }
}

fn c_name(rust: &str) -> &str {
    match rust {
        "c_void" | "()" => "void",
        "c_char" => "char",
        "c_int" => "int",
        "c_uint" => "unsigned int",
        "i8" => "int8_t",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "u8" => "uint8_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "usize" => "size_t",
        "f32" => "float",
        "f64" => "double",
        // DCMI names no types: it has tags only.
        "dcmi_hbm_info" => "struct dcmi_hbm_info",
        "dcmi_chip_info" => "struct dcmi_chip_info",
        "dcmi_chip_info_v2" => "struct dcmi_chip_info_v2",
        "dcmi_proc_mem_info" => "struct dcmi_proc_mem_info",
        "dcmi_freq_type" => "enum dcmi_freq_type",
        other => other,
    }
}

/// The signature of that name; the compiler finds it.
pub(super) const fn of(all: &'static [Signature], name: &str) -> &'static Signature {
    let mut at = 0;
    while !same(all[at].name, name) {
        at += 1;
    }
    &all[at]
}

/// The signatures of both phases of the operator of that name; the compiler finds them.
pub(super) const fn phases_of(
    all: &'static [[Signature; 2]],
    name: &str,
) -> &'static [Signature; 2] {
    let mut at = 0;
    while !same(all[at][1].name, name) {
        at += 1;
    }
    &all[at]
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
