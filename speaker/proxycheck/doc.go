// Package proxycheck asks the service proxy of this node again and again whether it works, by HTTP as load balancers do. Its
// one job is to know the newest answer and to say when that changes. It refuses to judge what an answer means for the node:
// internal/core/proxyhealth does.
//
// The answers are those of kube-proxy, which others imitate: 200 when it works and 503 when it does not. The body tells more:
// a kube-proxy that has not written any rules yet answers 200 without a status, and one on a node that is about to be deleted
// answers 503 with nodeEligible false, though it works, as its /livez says. What is to become of such a node is not the
// proxy's to say.
package proxycheck
