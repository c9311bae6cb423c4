// Package v1beta1 holds the kinds of the API group daymark.io: what a cluster's owner asks of Daymark and what Daymark
// says of its state. Its one job is the schema: fields, defaults, and the CEL rules the API server refuses bad objects
// with. It imports apimachinery only and decides nothing; what an object means is read from it by internal/core/lb.
//
// +kubebuilder:object:generate=true
// +groupName=daymark.io
package v1beta1
