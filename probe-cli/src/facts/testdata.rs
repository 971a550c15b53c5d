//! Any value of a type that can be deserialised: every field, every variant, hostile texts, extreme numbers. A type that is
//! added is covered without a word here. No expectations.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::Error,
};

/// Texts as they come from outside.
const TEXTS: [&str; 8] = [
    "",
    "eth0",
    "rke2-canal",
    "0000:01:10.0",
    "evil\u{1b}[2J\u{202e}",
    "\"\\\n\u{0}",
    "节点",
    "/var/run/netns/a b",
];
/// Entries of a list. Lists of lists are short enough.
const LONGEST: u64 = 4;

/// The value that a number stands for.
pub(crate) fn any<T: DeserializeOwned>(seed: u64) -> T {
    T::deserialize(&mut Any { state: seed, depth: 0 }).unwrap()
}

/// Makes values up. Not human readable: addresses and keys are made of their bytes.
struct Any {
    state: u64,
    depth: u32,
}

impl Any {
    /// The next number of splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Small ones, large ones and the largest.
    fn number(&mut self, largest: u64) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => largest,
            2 => self.next() & largest,
            _ => self.below(100).min(largest),
        }
    }

    fn length(&mut self) -> u64 {
        if self.depth > 12 { 0 } else { self.below(LONGEST) }
    }
}

macro_rules! unsigned {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.number(u64::from(<$type>::MAX));
            visitor.$visit(<$type>::try_from(value).unwrap())
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Any {
    type Error = Error;

    unsigned!(deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32);

    /// A prefix length or an octet: what is an octet only has all its values in other tests.
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.below(33);
        visitor.visit_u8(u8::try_from(value).unwrap())
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.number(u64::MAX);
        visitor.visit_u64(value)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.number(u64::from(u32::MAX));
        visitor.visit_i32(u32::try_from(value).unwrap().cast_signed())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.number(u64::MAX);
        visitor.visit_i64(value.cast_signed())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.below(2);
        visitor.visit_bool(value == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.below(TEXTS.len() as u64);
        visitor.visit_str(TEXTS[usize::try_from(value).unwrap()])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.below(3) == 0 { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length();
        visitor.visit_seq(Parts { any: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { any: self, left: length as u64 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length();
        visitor.visit_map(Parts { any: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == "Duration" {
            // Nanoseconds beyond a second are carried over, which the largest number of seconds has no room for.
            let parts = [self.next() >> 12, self.below(1_000_000_000)];
            return visitor.visit_seq(serde::de::value::SeqDeserializer::new(parts.into_iter()));
        }
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let chosen = self.below(variants.len() as u64);
        visitor.visit_enum(Chosen { any: self, name: variants[usize::try_from(chosen).unwrap()] })
    }

    /// What a tagged or flattened type asks for: facts have neither.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("facts have no tags, no flattened fields and nothing of any type"))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char bytes byte_buf unit_struct tuple_struct identifier ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// So many elements or entries.
struct Parts<'a> {
    any: &'a mut Any,
    left: u64,
}

impl Parts<'_> {
    fn part<'de, T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        self.any.depth += 1;
        let part = seed.deserialize(&mut *self.any);
        self.any.depth -= 1;
        part
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.part(seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        self.part(seed)
    }
}

/// One variant of an enum.
struct Chosen<'a> {
    any: &'a mut Any,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Chosen<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Error> {
        let name = serde::de::value::StrDeserializer::<Error>::new(self.name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        Parts { any: self.any, left: 1 }.part(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.any.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.any.deserialize_tuple(fields.len(), visitor)
    }
}
