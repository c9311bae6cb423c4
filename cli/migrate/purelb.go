package migrate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// pureLBForms are where a ServiceGroup has addresses, and what announces them. Up to v1 local had those for routers as well.
var pureLBForms = []struct{ field, announces string }{
	{"local", "an L2Advertisement, or a BGPAdvertisement with aggregationLength"},
	{"remote", "a BGPAdvertisement, with aggregationLength"},
}

// serviceGroup of PureLB: its addresses, in all forms that it has had.
func (s *set) serviceGroup(o *unstructured.Unstructured) []unstructured.Unstructured {
	fields, _ := o.Object["spec"].(map[string]any)
	if fields["netbox"] != nil {
		s.remark(describe(o), "spec.netbox is not carried over: Daymark has its addresses in pools")
	}
	s.unknown(o, "spec", fields, "local", "remote", "netbox")
	var addresses []any
	for _, form := range pureLBForms {
		found := s.addressesOfPureLB(o, "spec."+form.field, fields[form.field])
		if len(found) > 0 {
			s.remark(describe(o), "its subnet and aggregation are not carried over, and nothing announces the pool: make "+form.announces)
		}
		addresses = append(addresses, found...)
	}
	spec := map[string]any{}
	if o.GetName() != "default" { // PureLB gives from the others when a Service names them
		spec["autoAssign"] = false
	}
	return s.foreignPool(o, o.GetName(), addresses, spec)
}

func (s *set) addressesOfPureLB(o *unstructured.Unstructured, path string, value any) (addresses []any) {
	fields, _ := value.(map[string]any)
	s.unknown(o, path, fields, "pool", "subnet", "aggregation", "v4pool", "v6pool", "v4pools", "v6pools")
	add := func(below string, value any) {
		pool, _ := value.(map[string]any)
		if pool["pool"] != nil {
			addresses = append(addresses, fmt.Sprint(pool["pool"]))
		}
		if below != path {
			s.unknown(o, below, pool, "pool", "subnet", "aggregation")
		}
	}
	add(path, fields)
	add(path+".v4pool", fields["v4pool"])
	add(path+".v6pool", fields["v6pool"])
	for _, list := range []string{"v4pools", "v6pools"} {
		pools, _ := fields[list].([]any)
		for i, pool := range pools {
			add(fmt.Sprintf("%s.%s[%d]", path, list, i), pool)
		}
	}
	return addresses
}
