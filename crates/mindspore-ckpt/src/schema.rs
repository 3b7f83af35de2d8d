//! The protobuf messages of a checkpoint, as MindSpore's `checkpoint.proto` (proto2) has them.
//!
//! These hold their contents in memory, so they are for small things: looking into a file by
//! hand, or checking the streaming code, which never builds them.
//!
//! ```
//! use mindspore_ckpt::schema::{Checkpoint, Message, Payload};
//!
//! let mut writer = mindspore_ckpt::Writer::new(Vec::new());
//! writer.write_text("note", "hello")?;
//! let (file, _) = writer.finish()?;
//!
//! let checkpoint = Checkpoint::decode(&*file)?;
//! let Some(Payload::Tensor(tensor)) = &checkpoint.value[0].payload else { panic!() };
//! assert_eq!((tensor.tensor_type.as_str(), &tensor.dims[..]), ("str", &[0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use prost::Message;

/// A whole file; a file is also any number of these, one after the other.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Checkpoint {
    /// The records.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A record: a named tensor, or a slice of one (`Checkpoint.Value`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    /// The parameter's name.
    #[prost(string, required, tag = "1")]
    pub tag: String,
    /// What it holds.
    #[prost(oneof = "Payload", tags = "2, 3")]
    pub payload: Option<Payload>,
}

/// What a record holds.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    /// A tensor.
    #[prost(message, tag = "2")]
    Tensor(TensorProto),
    /// A map tensor.
    #[prost(message, tag = "3")]
    Maptensor(MapTensorProto),
}

/// A tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// The shape, outermost first.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// The name of the element type.
    #[prost(string, required, tag = "2")]
    pub tensor_type: String,
    /// The elements, little-endian, in row-major order.
    #[prost(bytes = "vec", required, tag = "3")]
    pub tensor_content: Vec<u8>,
}

/// The tensors of a map parameter: keys, values and states.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MapTensorProto {
    /// The tensors; their types have numpy's names (`"int32"`).
    #[prost(message, repeated, tag = "1")]
    pub tensor: Vec<TensorProto>,
}
