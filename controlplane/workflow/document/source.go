package document

// Source is what lands in the workspace before the first step. Several kinds may be used at once.
type Source struct {
	// Files written here, in the document.
	Files []File `json:"files,omitempty" rule:"max=1000" merge:"by=path"`
	// A repository. It is fetched by a step named source, which has a status and a log as any other.
	Git *Git `json:"git,omitempty" merge:"whole"`
	// The keys of a ConfigMap of the namespace, as files.
	ConfigMap *ConfigMapSource `json:"configMap,omitempty" merge:"whole"`
	// An OCI artifact of a registry.
	OCI *OCI `json:"oci,omitempty" merge:"whole"`
	// A tar archive, fetched over HTTP.
	HTTP *HTTP `json:"http,omitempty" merge:"whole"`
}

// File is written to the workspace. Its content is taken as it is: expressions are not resolved in it.
type File struct {
	// Path below the workspace.
	Path string `json:"path" rule:"required,rule=file"`
	// What is in it; "" for an empty file.
	Content string `json:"content" rule:"required"`
	// Permission bits in octal, such as 0755.
	Mode FileMode `json:"mode,omitempty" rule:"default=0644"`
}

// Git is a repository to fetch.
type Git struct {
	// Address of the repository, over HTTPS or SSH, without a password.
	URL string `json:"url" rule:"required,expr=here,rule=gitURL"`
	// Branch, tag or commit; the default branch when absent.
	Ref string `json:"ref,omitempty" rule:"expr=here,rule=gitRef"`
	// Only these paths are checked out.
	Paths []string `json:"paths,omitempty" rule:"expr=here,rule=inWorkspace,max=100"`
	// How many commits are fetched.
	Depth int64 `json:"depth,omitempty" rule:"min=1,max=1000000,default=1"`
	// Secret with the keys username and password, token, or ssh-privatekey.
	SecretRef *NameRef `json:"secretRef,omitempty"`
}

// ConfigMapSource is a ConfigMap whose keys become files.
type ConfigMapSource struct {
	// Name of the ConfigMap.
	Name string `json:"name" rule:"required,rule=object"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// OCI is an artifact of a registry.
type OCI struct {
	// Reference of the artifact, best with its digest.
	Artifact string `json:"artifact" rule:"required,expr=here,rule=image"`
	// Secret of type kubernetes.io/dockerconfigjson.
	SecretRef *NameRef `json:"secretRef,omitempty"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// HTTP is a tar archive, compressed with gzip or zstd or not at all.
type HTTP struct {
	// Address of the archive.
	URL string `json:"url" rule:"required,expr=here,rule=httpURL"`
	// What its bytes must sum up to, in hex.
	SHA256 string `json:"sha256" rule:"required,expr=here,rule=sha256"`
	// Secret with the key token, or the keys username and password.
	SecretRef *NameRef `json:"secretRef,omitempty"`
	// How many leading folders of the names in the archive are left out.
	Strip int64 `json:"strip,omitempty" rule:"min=0,max=20,default=0"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// NameRef names an object of the namespace.
type NameRef struct {
	// Name of the object.
	Name string `json:"name" rule:"required,rule=object"`
}
