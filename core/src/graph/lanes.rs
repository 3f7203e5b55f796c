//! Lanes: the connections that lead to a node, by port, then as the manifest lists them, inputs of
//! the pipeline first.

use super::Graph;

/// The lanes of a graph's nodes.
pub(crate) struct Lanes {
    /// Per node: port and link of each lane. Links go by edges first, then inputs.
    nodes: Vec<Vec<(u16, usize)>>,
    edges: usize,
}

impl Graph {
    pub(crate) fn lanes(&self) -> Lanes {
        let edges = self.edges.len();
        let mut nodes: Vec<Vec<(u16, usize)>> = vec![Vec::new(); self.nodes.len()];
        let inputs = self.inputs.iter().enumerate().map(|(i, input)| (input.port, edges + i));
        let links = self.edges.iter().enumerate().map(|(link, edge)| (edge.to, link));
        for (port, link) in inputs.chain(links) {
            nodes[port.node].push((port.port as u16, link));
        }
        nodes.iter_mut().for_each(|lanes| lanes.sort_by_key(|(port, _)| *port));
        Lanes { nodes, edges }
    }
}

impl Lanes {
    /// The lane that a connection is.
    pub(crate) fn of_edge(&self, link: usize) -> u16 {
        let place = |lanes: &Vec<(u16, usize)>| lanes.iter().position(|(_, l)| *l == link);
        self.nodes.iter().find_map(place).unwrap_or_default() as u16
    }

    /// The lane that an input of the pipeline is.
    pub(crate) fn of_input(&self, input: usize) -> u16 {
        self.of_edge(self.edges + input)
    }

    /// Ports and links of a node's lanes.
    pub(crate) fn of_node(&self, node: usize) -> (Vec<u16>, Vec<usize>) {
        self.nodes[node].iter().copied().unzip()
    }
}
