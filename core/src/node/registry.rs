//! The registry: node types by name.
//!
//! A type lives in a namespace, and its full name is `namespace/Name`; the built-in ones are in
//! `rmedia`. Manifests may give the bare name while it is unambiguous. Names and aliases are
//! looked up as written.

use super::{AnyNode, Descriptor, Elsewhere, Node, Params, Ports};
use crate::error::{Error, Result, detail};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::params::ParamSpec;

/// Namespace of the built-in types.
pub const BUILTIN: &str = "rmedia";

/// A registered node type: what [`Node`] declares, without its Rust type.
///
/// The `params` that its functions take are validated: canonical names, fitting values.
pub trait NodeType: Send + Sync {
    /// What it is.
    fn descriptor(&self) -> &'static Descriptor;

    /// Schema of its params.
    fn params(&self) -> &'static [ParamSpec];

    /// The ports of a node with these params.
    ///
    /// # Errors
    /// When the params contradict each other.
    fn ports(&self, params: &Map<String, Json>) -> Result<Ports>;

    /// Makes a node.
    ///
    /// # Errors
    /// Whatever keeps the node from being made, e.g. a file that isn't there.
    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>>;

    /// Prepares params for [`AnyNode::set_params`], on the caller's thread.
    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send>;
}

struct Typed<N>(PhantomData<fn() -> N>);

impl<N: Node> NodeType for Typed<N> {
    fn descriptor(&self) -> &'static Descriptor {
        const { &N::DESCRIPTOR }
    }
    fn params(&self) -> &'static [ParamSpec] {
        N::Params::specs()
    }
    fn ports(&self, params: &Map<String, Json>) -> Result<Ports> {
        let mut ports = Ports::of(self.descriptor());
        N::ports(&N::Params::from_map(params), &mut ports)?;
        Ok(ports)
    }
    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        Ok(Box::new(N::new(N::Params::from_map(params))?))
    }
    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send> {
        Box::new(N::Params::from_map(params))
    }
}

/// A Rust node type as the registry has it.
pub fn typed<N: Node>() -> Arc<dyn NodeType> {
    Arc::new(Typed::<N>(PhantomData))
}

/// Node types by name.
#[derive(Clone, Default)]
pub struct Registry {
    /// `namespace/Name` → type.
    types: BTreeMap<String, Arc<dyn NodeType>>,
    /// Bare name or alias → full names that it can mean.
    bare: BTreeMap<String, Vec<String>>,
    /// Who brings nodes to other machines.
    remote: Option<Arc<dyn Elsewhere>>,
}

/// Answer of [`Registry::find`].
pub enum Lookup<'a> {
    /// The type, with its full name.
    Found(&'a str, &'a Arc<dyn NodeType>),
    /// The bare name means several types; these are their full names.
    Ambiguous(&'a [String]),
    /// There is none.
    Unknown,
}

impl Registry {
    /// A registry without types.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Registers a Rust node type in a namespace.
    ///
    /// # Errors
    /// `registry.duplicate` when the namespace has that name or alias already.
    pub fn add<N: Node>(&mut self, namespace: &str) -> Result<()> {
        self.add_type(namespace, typed::<N>())
    }

    /// Registers a node type in a namespace.
    ///
    /// # Errors
    /// `registry.duplicate` when the namespace has that name or alias already.
    pub fn add_type(&mut self, namespace: &str, node_type: Arc<dyn NodeType>) -> Result<()> {
        let descriptor = node_type.descriptor();
        let names = || std::iter::once(descriptor.name).chain(descriptor.aliases.iter().copied());
        let full = format!("{namespace}/{}", descriptor.name);
        for name in names() {
            let taken = self.bare.get(name).into_iter().flatten();
            if let Some(other) = taken.into_iter().find(|other| in_namespace(other, namespace)) {
                return Err(Error::new(
                    detail::REGISTRY_DUPLICATE,
                    format!(
                        "'{name}' is registered in namespace '{namespace}' already, by '{other}'"
                    ),
                ));
            }
        }
        for name in names() {
            self.bare.entry(name.to_owned()).or_default().push(full.clone());
        }
        self.types.insert(full, node_type);
        Ok(())
    }

    /// Looks a type up by bare name, alias, or `namespace/Name` (an alias is fine there, too).
    pub fn find(&self, name: &str) -> Lookup<'_> {
        let (namespace, bare) = match name.rsplit_once('/') {
            Some((namespace, bare)) => (Some(namespace), bare),
            None => (None, name),
        };
        let Some(full_names) = self.bare.get(bare) else { return Lookup::Unknown };
        let found = match namespace {
            Some(namespace) => full_names.iter().find(|full| in_namespace(full, namespace)),
            None if full_names.len() > 1 => return Lookup::Ambiguous(full_names),
            None => full_names.first(),
        };
        match found.and_then(|full| self.types.get_key_value(full)) {
            Some((full, node_type)) => Lookup::Found(full, node_type),
            None => Lookup::Unknown,
        }
    }

    /// Says who runs nodes with `placement: remote`. Without it such a manifest is refused.
    pub fn set_remote(&mut self, remote: Arc<dyn Elsewhere>) {
        self.remote = Some(remote);
    }

    /// Who runs nodes with `placement: remote`.
    pub fn remote(&self) -> Option<&Arc<dyn Elsewhere>> {
        self.remote.as_ref()
    }

    /// All types with their full names, sorted.
    pub fn types(&self) -> impl Iterator<Item = (&str, &Arc<dyn NodeType>)> {
        self.types.iter().map(|(name, node_type)| (name.as_str(), node_type))
    }

    /// Every bare name and alias that a manifest may give.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.bare.keys().map(String::as_str)
    }
}

fn in_namespace(full: &str, namespace: &str) -> bool {
    full.rsplit_once('/').is_some_and(|(n, _)| n == namespace)
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types.keys()).finish()
    }
}
