//! How Go's encoding/json treats zero values, in serde's terms.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares wire structs: Docker's PascalCase names, every field optional on the way in, and `null`
/// read as the zero value (docker-py sends `null` for most of what it was not given).
///
/// `#[flatten]`, as a field's first attribute, puts a struct's fields among those around it: what is wrong with
/// one of them is an error there as well.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($fields:tt)* }
    )*) => { $( crate::go::wire! { @fields [$(#[$meta])* $name] {} $($fields)* } )* };

    // One field after the other moves into the braces.
    (@fields $head:tt { $($done:tt)* }
        #[flatten] $(#[$meta:meta])* pub $field:ident : Option<$type:ty>, $($rest:tt)*) => {
        crate::go::wire! { @fields $head {
            $($done)*
            #[serde(flatten, deserialize_with = "crate::go::flattened")]
            $(#[$meta])*
            pub $field: Option<$type>,
        } $($rest)* }
    };
    (@fields $head:tt { $($done:tt)* }
        #[flatten] $(#[$meta:meta])* pub $field:ident : $type:ty, $($rest:tt)*) => {
        crate::go::wire! { @fields $head {
            $($done)*
            #[serde(flatten)]
            $(#[$meta])*
            pub $field: $type,
        } $($rest)* }
    };
    (@fields $head:tt { $($done:tt)* }
        $(#[$meta:meta])* pub $field:ident : $type:ty, $($rest:tt)*) => {
        crate::go::wire! { @fields $head {
            $($done)*
            #[serde(default, deserialize_with = "crate::go::nullable")]
            $(#[$meta])*
            pub $field: $type,
        } $($rest)* }
    };
    (@fields [$(#[$meta:meta])* $name:ident] { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase", remote = "Self")]
        pub struct $name { $($fields)* }

        // `remote` makes of serde's code plain functions, for this to have the last word.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(crate::go::ObjectOnly(deserializer))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    };
}
pub(crate) use wire;

pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    deserializer.deserialize_option(Nullable(PhantomData))
}

/// Not serde's own way through `Option`, which makes nothing of an error in a flattened struct: a limit that
/// cannot be read would be no limit. This one refuses whatever is flattened.
struct Nullable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Nullable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

/// A struct among others' fields that is always there when it is read.
pub(crate) fn flattened<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Lets a struct be read from an object alone, or from `null` as one without fields: serde would take an array for its
/// fields in their order.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(OrNull(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(OrNull(visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

struct OrNull<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for OrNull<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_map(MapDeserializer::new(std::iter::empty::<((), ())>()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}

/// Go's `omitempty` for numbers, booleans, strings, slices and maps.
pub(crate) fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `omitempty` of a slice or map that is otherwise nullable: nil and empty are both left out.
pub(crate) fn none_or_empty<T: Default + PartialEq>(value: &Option<T>) -> bool {
    value.as_ref().is_none_or(|value| *value == T::default())
}

/// A slice or map that Go sends as `null` for nil, and that some versions leave out altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Nilable<T> {
    Omitted,
    #[default]
    Null,
    Value(T),
}

impl<T> Nilable<T> {
    pub(crate) fn is_omitted(&self) -> bool {
        matches!(self, Self::Omitted)
    }

    #[must_use]
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Omitted | Self::Null => None,
        }
    }

    pub fn get_or_insert_default(&mut self) -> &mut T
    where
        T: Default,
    {
        if self.as_ref().is_none() {
            *self = Self::Value(T::default());
        }
        match self {
            Self::Value(value) => value,
            Self::Omitted | Self::Null => unreachable!("it was given a value above"),
        }
    }

    /// As `omitempty` would have it.
    pub(crate) fn omit_empty(&mut self)
    where
        T: Default + PartialEq,
    {
        if self.as_ref().is_none_or(|value| *value == T::default()) {
            *self = Self::Omitted;
        }
    }
}

impl<T> From<Option<T>> for Nilable<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: Serialize> Serialize for Nilable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nilable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.into())
    }
}

wire! {
    /// Go's `struct{}`: the value of maps used as sets.
    #[derive(Copy, Eq)]
    pub struct Empty {}
}

/// A list of words that old clients may send as one string.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StrSlice(pub Vec<String>);

impl std::ops::Deref for StrSlice {
    type Target = Vec<String>;

    fn deref(&self) -> &Vec<String> {
        &self.0
    }
}

impl From<Vec<String>> for StrSlice {
    fn from(words: Vec<String>) -> Self {
        Self(words)
    }
}

impl<'de> Deserialize<'de> for StrSlice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Words(Vec<String>),
            Word(String),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Words(words) => Self(words),
            Form::Word(word) => Self(vec![word]),
        })
    }
}
