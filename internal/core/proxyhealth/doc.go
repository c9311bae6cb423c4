// Package proxyhealth judges a node by its service proxy (kube-proxy or what stands in its place), which carries what the
// node attracts to the pods. Its one job is to say from one look after the other whether the node may attract anything, and
// whether the health-check ports are the proxy's. It refuses to ask the proxy itself: speaker/proxycheck does.
//
// A node attracts nothing before its proxy has worked once since the node booted, and nothing while the proxy has failed for
// FailTime. Three rules keep this from doing harm:
//   - A proxy that no node has is not judged: kube-proxy can be replaced by something that has no such check.
//   - A proxy that works on fewer nodes than it fails on is not judged either. The check may be what is wrong, and the rules
//     that a dead kube-proxy leaves in the kernel go on serving.
//   - What a proxy does within FailTime moves nothing, and one that comes and goes must work longer each time.
package proxyhealth
