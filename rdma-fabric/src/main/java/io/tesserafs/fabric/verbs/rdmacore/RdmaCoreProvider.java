package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaProvider;
import com.ibm.disni.verbs.RdmaVerbs;

/** What DiSNI's objects ask for their implementation. */
final class RdmaCoreProvider extends RdmaProvider {
    /** Of DiSNI's interface, as its own provider counts it. */
    private static final int API_VERSION = 2;

    private final CoreCm cm;
    private final CoreVerbs verbs;

    RdmaCoreProvider(Libraries libraries) {
        this.cm = new CoreCm(libraries);
        this.verbs = new CoreVerbs(libraries);
    }

    @Override
    public RdmaCm openCm() {
        return cm;
    }

    CoreCm cm() {
        return cm;
    }

    @Override
    public RdmaVerbs openVerbs() {
        return verbs;
    }

    @Override
    public int getVersion() {
        return API_VERSION;
    }
}
