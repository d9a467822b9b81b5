package io.tesserafs.fabric.verbs;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;

/** Loads DiSNI's classes, and ours that use them, a second time: a process has one implementation behind them, and a test both. */
public final class SeparateClasses extends URLClassLoader {
    private SeparateClasses(URL[] classPath) {
        super(classPath, SeparateClasses.class.getClassLoader());
    }

    public static SeparateClasses open() throws MalformedURLException {
        List<URL> classPath = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            classPath.add(new File(entry).toURI().toURL());
        }
        return new SeparateClasses(classPath.toArray(URL[]::new));
    }

    private static boolean isSeparate(String name) {
        return name.startsWith("com.ibm.disni.") || name.startsWith("io.tesserafs.fabric.verbs.");
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!isSeparate(name)) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            return loaded == null ? findClass(name) : loaded;
        }
    }
}
