// Package v1beta1 has the kinds of the API group daymark.io: in the spec what a user wants, in the status what Daymark
// reports. Its one job is the schema: fields, defaults, and the CEL rules by which the API server rejects invalid objects.
// It imports apimachinery only and refuses to decide anything. internal/core/lb parses the objects.
//
// The comments of the fields are what kubectl explain shows.
//
// +kubebuilder:object:generate=true
// +groupName=daymark.io
package v1beta1
