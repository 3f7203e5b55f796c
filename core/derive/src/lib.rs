//! `#[derive(Params)]` and `#[derive(Choice)]`: a node's params from one typed struct.
//!
//! ```ignore
//! /// Params of the node.
//! #[derive(Clone, Params)]
//! struct GainParams {
//!     /// How much louder.
//!     #[param(default = 0.0, min = -120, max = 60, unit = "dB", live, alias = "gain")]
//!     gain_db: f32,
//! }
//! ```
//!
//! A field without `default` must be given; `default` alone takes the type's own default. Field
//! docs become the documentation of the param. `#[derive(Choice)]` on an enum of unit variants
//! makes it usable as a field: names are the variants in snake case, `#[param(name = "…")]` sets
//! another and `#[param(alias = "…")]` adds spellings.

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, Lit, LitStr, Meta, Result, parse_macro_input,
};

/// Implements `Params` for a struct with named fields.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    params(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Implements `ParamValue` for an enum of unit variants.
#[proc_macro_derive(Choice, attributes(param))]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// What `#[param(…)]` can say.
#[derive(Default)]
struct Options {
    default: Option<Option<Expr>>,
    min: Option<Expr>,
    max: Option<Expr>,
    unit: Option<LitStr>,
    name: Option<LitStr>,
    aliases: Vec<LitStr>,
    live: bool,
}

impl Options {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                let name = meta.path.require_ident()?.to_string();
                match name.as_str() {
                    "default" if meta.input.peek(syn::Token![=]) => {
                        options.default = Some(Some(meta.value()?.parse()?));
                    }
                    "default" => options.default = Some(None),
                    "live" => options.live = true,
                    "min" => options.min = Some(meta.value()?.parse()?),
                    "max" => options.max = Some(meta.value()?.parse()?),
                    "unit" => options.unit = Some(meta.value()?.parse()?),
                    "name" => options.name = Some(meta.value()?.parse()?),
                    "alias" => options.aliases.push(meta.value()?.parse()?),
                    other => return Err(meta.error(format!("no option '{other}'"))),
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn params(input: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "Params is for structs"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "Params is for structs with named fields"));
    };
    let path = quote!(::remotemedia::node::params);
    let (mut specs, mut reads, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for field in &fields.named {
        let options = Options::parse(&field.attrs)?;
        let ident = field.ident.as_ref().expect("named fields have names");
        let ty = &field.ty;
        let name =
            options.name.clone().unwrap_or_else(|| LitStr::new(&ident.to_string(), ident.span()));
        let doc = doc(&field.attrs);
        let aliases = &options.aliases;
        let (low, high) = (bound(options.min.as_ref()), bound(options.max.as_ref()));
        let unit = match &options.unit {
            Some(unit) => quote!(::core::option::Option::Some(#unit)),
            None => quote!(::core::option::Option::None),
        };
        let live = options.live;
        let fallback = match &options.default {
            Some(Some(expr)) => Some(quote!({ let value: #ty = #expr; value })),
            Some(None) => Some(quote!(<#ty as ::core::default::Default>::default())),
            None => None,
        };
        let default = match &fallback {
            Some(value) => {
                quote!(::core::option::Option::Some(#path::ParamValue::to_json(&#value)))
            }
            None => quote!(::core::option::Option::None),
        };
        let missing = match &fallback {
            Some(value) => quote!(#value),
            None => {
                quote!(panic!("params are validated before they are read: '{}' is missing", #name))
            }
        };
        specs.push(quote! {
            #path::ParamSpec {
                name: #name,
                aliases: &[#(#aliases),*],
                doc: #doc,
                kind: <#ty as #path::ParamValue>::kind().with_range(#low, #high),
                default: #default,
                unit: #unit,
                live: #live,
            }
        });
        reads.push(quote! {
            #ident: match values.get(#name).map(|v| {
                <#ty as #path::ParamValue>::from_json(v)
                    .unwrap_or_else(|| panic!("params are validated before they are read: '{}'", #name))
            }) {
                ::core::option::Option::Some(value) => value,
                ::core::option::Option::None => #missing,
            }
        });
        writes.push(quote! {
            map.insert(#name.to_owned(), #path::ParamValue::to_json(&self.#ident));
        });
    }
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #path::Params for #ident {
            fn specs() -> &'static [#path::ParamSpec] {
                static SPECS: ::std::sync::LazyLock<::std::vec::Vec<#path::ParamSpec>> =
                    ::std::sync::LazyLock::new(|| vec![#(#specs),*]);
                &SPECS
            }
            fn from_map(values: &#path::Map<::std::string::String, #path::Json>) -> Self {
                Self { #(#reads),* }
            }
            fn to_map(&self) -> #path::Map<::std::string::String, #path::Json> {
                let mut map = #path::Map::new();
                #(#writes)*
                map
            }
        }
    })
}

fn choice(input: &DeriveInput) -> Result<Tokens> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "Choice is for enums"));
    };
    let path = quote!(::remotemedia::node::params);
    let (mut specs, mut reads, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(variant, "a choice's variants have no fields"));
        }
        let options = Options::parse(&variant.attrs)?;
        let ident = &variant.ident;
        let name = options
            .name
            .clone()
            .unwrap_or_else(|| LitStr::new(&snake_case(&ident.to_string()), ident.span()));
        let (doc, aliases) = (doc(&variant.attrs), &options.aliases);
        specs.push(quote!(#path::ChoiceSpec { name: #name, aliases: &[#(#aliases),*], doc: #doc }));
        reads.push(quote!(#name => ::core::option::Option::Some(Self::#ident)));
        writes.push(quote!(Self::#ident => #name));
    }
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #path::ParamValue for #ident {
            fn kind() -> #path::ParamKind {
                const CHOICES: &[#path::ChoiceSpec] = &[#(#specs),*];
                #path::ParamKind::Choice(CHOICES)
            }
            fn from_json(value: &#path::Json) -> ::core::option::Option<Self> {
                let #path::ParamKind::Choice(choices) = Self::kind() else { unreachable!() };
                match #path::ParamKind::choice(choices, value.as_str()?)?.name {
                    #(#reads,)*
                    _ => ::core::option::Option::None,
                }
            }
            fn to_json(&self) -> #path::Json {
                #path::Json::from(match self { #(#writes),* })
            }
        }
    })
}

fn bound(bound: Option<&Expr>) -> Tokens {
    match bound {
        Some(expr) => quote!(::core::option::Option::Some((#expr) as f64)),
        None => quote!(::core::option::Option::None),
    }
}

/// The doc comment as one text, its lines joined.
fn doc(attributes: &[Attribute]) -> LitStr {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(expr) = &meta.value
            && let Lit::Str(text) = &expr.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    LitStr::new(lines.join(" ").trim(), Span::call_site())
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
