package v1beta1

// AcceptedL2Advertisement is the newest version of an L2Advertisement of which everything was understood.
type AcceptedL2Advertisement struct {
	// generation of the object that had this spec.
	Generation int64 `json:"generation"`
	// spec as it was.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec L2AdvertisementSpec `json:"spec"`
}

// AcceptedBGPAdvertisement is the newest version of a BGPAdvertisement of which everything was understood.
type AcceptedBGPAdvertisement struct {
	// generation of the object that had this spec.
	Generation int64 `json:"generation"`
	// spec as it was, with the values of its communities in the place of their names.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec BGPAdvertisementSpec `json:"spec"`
}

// AcceptedBGPPeer is the newest version of a BGPPeer of which everything was understood.
type AcceptedBGPPeer struct {
	// generation of the object that had this spec.
	Generation int64 `json:"generation"`
	// spec as it was.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec BGPPeerSpec `json:"spec"`
	// bfdProfile is the spec of the BFDProfile that it named, when that last existed. Absent: it named none.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	BFDProfile *BFDProfileSpec `json:"bfdProfile,omitempty"`
}
