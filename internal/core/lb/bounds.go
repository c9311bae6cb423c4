package lb

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// The bounds on what the users of a namespace can write into their Services. What exceeds a bound is refused with a message
// that names the bound. It costs as little as what does not exceed it, and the caches do not keep it.
const (
	// MaxAnnotationBytes is the longest value of an annotation that is read.
	MaxAnnotationBytes = 1024
	// MaxRequestedAddresses is how many addresses a Service may request.
	MaxRequestedAddresses = 8
	// MaxRequestedPools is how many pools a Service may name.
	MaxRequestedPools = 16
	// MaxNameBytes is the longest name of a pool or namespace that a Service may name.
	MaxNameBytes = 253
	// MaxSharingKeyBytes is the longest sharing key.
	MaxSharingKeyBytes = 128
	// MaxSharedNamespaces is how many namespaces a Service may share its address with by name.
	MaxSharedNamespaces = 32
	// MaxSharedPorts is how many ports a Service that shares an address may have.
	MaxSharedPorts = 512
	// MaxExternalIPs is how many addresses in spec.externalIPs are read.
	MaxExternalIPs = 16
	// MaxEndpoints is how many endpoints of a Service are read.
	MaxEndpoints = 16384
	// MaxAddressBytes is the longest text of an address.
	MaxAddressBytes = 64
	// MaxLabelBytes is how long all labels of one object may be together, keys and values.
	MaxLabelBytes = 16 << 10
	// maxIngress is how many entries of status.loadBalancer are read.
	maxIngress = 64
	// maxQuoted is how many bytes of a text a message repeats.
	maxQuoted = 64
)

const (
	// Oversized is what the caches keep in the place of a text that exceeds its bound.
	Oversized = "(too long)"
	// OversizedLabels is the only label that the caches keep of an object whose labels exceed their bound.
	OversizedLabels = "daymark.io/oversized-labels"
)

// requestAnnotations are the annotations by which a Service requests something.
var requestAnnotations = []string{
	v1beta1.AnnotationIPMode,
	v1beta1.AnnotationLoadBalancerIPs, v1beta1.AliasLoadBalancerIPs, v1beta1.OldAliasLoadBalancerIPs,
	v1beta1.AnnotationAddressPool, v1beta1.AliasAddressPool, v1beta1.OldAliasAddressPool,
	v1beta1.AnnotationAllowSharedIP, v1beta1.AliasAllowSharedIP, v1beta1.OldAliasAllowSharedIP,
	v1beta1.AnnotationSharedIPNamespaces, v1beta1.AnnotationProvider, v1beta1.AnnotationLastAddresses, v1beta1.AnnotationPool,
}

// resultAnnotations are the annotations that the controller writes, or did in an earlier version.
var resultAnnotations = []string{v1beta1.AnnotationLastAddresses, v1beta1.AnnotationPool}

// RequestAnnotations returns the annotations that are read of a Service that requests something, each within its bound: an
// Oversized value takes the place of a longer one. It returns nil when there is none.
func RequestAnnotations(annotations map[string]string) map[string]string {
	return bounded(annotations, requestAnnotations)
}

// ResultAnnotations is RequestAnnotations for those that the controller writes.
func ResultAnnotations(annotations map[string]string) map[string]string {
	return bounded(annotations, resultAnnotations)
}

func bounded(annotations map[string]string, keys []string) map[string]string {
	var kept map[string]string
	for _, key := range keys {
		if value, present := annotations[key]; present {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = BoundText(value, MaxAnnotationBytes)
		}
	}
	return kept
}

// BoundText returns a text, or Oversized when it is longer than a number of bytes.
func BoundText(text string, limit int) string {
	if len(text) > limit {
		return Oversized
	}
	return text
}

// BoundLabels returns labels, or only the label OversizedLabels when they exceed MaxLabelBytes.
func BoundLabels(labels map[string]string) map[string]string {
	if labelBytes(labels) > MaxLabelBytes {
		return map[string]string{OversizedLabels: ""}
	}
	return labels
}

func labelBytes(labels map[string]string) int {
	sum := 0
	// order does not matter: the sum is compared with the bound only.
	for key, value := range labels {
		if sum += len(key) + len(value); sum > MaxLabelBytes {
			break
		}
	}
	return sum
}

// oversized reports whether a text exceeds its bound, or did before it came into a cache.
func oversized(text string, limit int) bool { return len(text) > limit || text == Oversized }

// checkBounds returns what exceeds a bound in a Service and the request that was parsed of it; nil when nothing does.
func checkBounds(from *corev1.Service, s *Service) error {
	_, markedLabels := from.Labels[OversizedLabels]
	tooLong := func(name string) bool { return len(name) > MaxNameBytes }
	switch {
	case markedLabels || labelBytes(from.Labels) > MaxLabelBytes:
		return fmt.Errorf("the labels of the Service are longer than %d bytes together", MaxLabelBytes)
	case len(s.Requested) > MaxRequestedAddresses:
		return fmt.Errorf("the Service asks for more than %d addresses", MaxRequestedAddresses)
	case len(s.RequestedPools) > MaxRequestedPools:
		return fmt.Errorf("the Service asks for more than %d pools", MaxRequestedPools)
	case slices.ContainsFunc(s.RequestedPools, tooLong):
		return fmt.Errorf("the Service asks for a pool with a name of more than %d bytes", MaxNameBytes)
	case len(s.SharingKey) > MaxSharingKeyBytes:
		return fmt.Errorf("the sharing key of the Service is longer than %d bytes", MaxSharingKeyBytes)
	case len(s.SharedNamespaces) > MaxSharedNamespaces:
		return fmt.Errorf("the Service shares its address with more than %d namespaces by name; * stands for all", MaxSharedNamespaces)
	case s.SharingKey != "" && len(from.Spec.Ports) > MaxSharedPorts:
		return fmt.Errorf("a Service with more than %d ports cannot share an address", MaxSharedPorts)
	}
	return nil
}

// quote returns a text in quotation marks and shortens it. A message does not repeat at length what somebody wrote.
func quote(text string) string { return strconv.Quote(Truncate(text, maxQuoted)) }

// Truncate cuts a text to a number of bytes, between two characters, and marks the end of a text that was cut.
func Truncate(text string, limit int) string {
	const mark = " ..."
	if len(text) <= limit {
		return text
	}
	cut := limit - len(mark)
	for cut > 0 && text[cut]&0xc0 == 0x80 {
		cut--
	}
	return text[:cut] + mark
}
