// Package view lets a loop look at the cluster. Its one job is to turn what the caches hold into parsed values, once per
// resourceVersion, and their changes into wakes. It refuses to know what the values mean or what a pass does with them:
// the parsers are internal/core/lb's, the passes controller/reconcile's and speaker/reconcile's.
//
// A loop has a Table for each kind it reads, and a Wiring that says what wakes it:
//
//	type Loop struct {
//		services *view.Table[*corev1.Service, *lb.Service]
//		pools    *view.Table[*v1beta1.IPAddressPool, *lb.Pool]
//	}
//
//	func Add(m manager.Manager, gossip <-chan struct{}) error {
//		loop := &Loop{
//			services: view.NewTable(m.GetCache(), lb.ParseService),
//			pools:    view.NewTable(m.GetCache(), lb.ParsePool),
//		}
//		return view.Wiring{
//			Name:  "speaker",
//			Kinds: []client.Object{&corev1.Service{}, &v1beta1.IPAddressPool{}},
//			Wakes: []<-chan struct{}{gossip},
//		}.Add(m, loop)
//	}
//
//	func (l *Loop) Reconcile(ctx context.Context, _ view.Wake) (reconcile.Result, error) {
//		services, err := l.services.List(ctx) // []*lb.Service in order of namespace and name
//		...
//	}
//
// The manager's cache should be made with Options, which keeps only what the parsers read.
//
// Two traps are handled here. Unknown is not empty: a Table whose cache has not synced gives an error, never an empty
// list. A value is only valid for its version: it is parsed anew when its object changes, so it must not be changed by
// those who read it; they share it with every later pass.
package view
